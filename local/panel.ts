import { join } from 'node:path';
import { apiUrl } from './environments';
import { LOOPBACK } from '../servers/free-port';
import { METRICS_OFFSETS, WORKER_ROLES, type StackPorts } from './ports';
import type { LocalSecrets } from './secrets';

export interface PanelFacts {
  readonly ports: StackPorts;
  readonly users: LocalSecrets['users'];
  readonly folder: string;
  /** Since `npm start` began to start things, s. */
  readonly readySeconds: number;
  /** A feeder of the registry and a limit below what it draws, for the dispatch to try. */
  readonly example: { readonly feederId: string; readonly importLimitKw: number };
}

/** What a person needs once everything runs: addresses, sign-in, and lines to try. */
export function panel({ ports, users, folder, readySeconds, example }: PanelFacts): string {
  const api = apiUrl(ports);
  const metrics = (offset: number): string => `http://${LOOPBACK}:${ports.metrics + offset}/metrics`;
  const { worker, simulator, workerSdk, temporal } = METRICS_OFFSETS;
  const rows: readonly (readonly [string, string])[] = [
    ['API', `${api}   read it at ${api}/api/docs`],
    ['Temporal UI', `http://${LOOPBACK}:${ports.temporalUi}/namespaces/derms/workflows`],
    ['Metrics', `${api}/metrics   api`],
    ...['worker', ...WORKER_ROLES].map((name, index) => ['', `${metrics(worker + index)}   ${name}`] as const),
    ['', `${metrics(simulator)}   simulator`],
    ...WORKER_ROLES.map((role, index) => ['', `${metrics(workerSdk + 1 + index)}   Temporal SDK in ${role}`] as const),
    ['', `${metrics(temporal)}   Temporal server`],
    ['Sign in', `operator / ${users.operator}   (admin and viewer: ${join(folder, 'secrets.json')})`],
    ['Logs', join(folder, 'logs')],
  ];
  return [
    '',
    `The feeder is running, ready after ${readySeconds.toFixed(1)} s. Ctrl-C stops everything.`,
    '',
    ...rows.map(([name, value]) => `  ${name.padEnd(12)} ${value}`),
    '',
    'Try, in another terminal:',
    '',
    '  # is everything well?',
    `  curl -s ${api}/api/health`,
    '',
    `  # for five minutes at most ${example.importLimitKw} kW into ${example.feederId}`,
    ...dispatchLines(api, users.operator, example).map((line) => `  ${line}`),
    '',
    '  # is it being followed?',
    `  curl -s ${api}/api/feeders/${example.feederId} -H "authorization: Bearer $TOKEN"`,
    '',
    '  # a backup, read back until it is proven; then restored beside, with our API booted on it',
    '  npm run derms -- job db-backup --follow',
    '  npm run derms -- job restore-drill --follow',
    '',
  ].join('\n');
}

/** A login whose token stays in a shell variable, and the dispatch; the shell and curl of any laptop understand it. */
function dispatchLines(api: string, password: string, { feederId, importLimitKw }: PanelFacts['example']): string[] {
  const login = JSON.stringify({ user: 'operator', password });
  const json = `-H 'content-type: application/json'`;
  const body = `JSON.stringify({feederId:"${feederId}",importLimitKw:${importLimitKw},startsAt:new Date(),endsAt:new Date(Date.now()+3e5),reason:"trying it"})`;
  return [
    `TOKEN=$(curl -s ${api}/api/auth/login ${json} -d '${login}' | node -p 'JSON.parse(fs.readFileSync(0)).accessToken')`,
    `curl -s ${api}/api/dispatches -H "authorization: Bearer $TOKEN" -H "idempotency-key: $(date +%s)" ${json} -d "$(node -p '${body}')"`,
  ];
}
