import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Connection } from '@temporalio/client';
import { connectAsync } from 'mqtt';
import { onNode, untilStreams } from '../../drills/postgres/node';
import { repositoryRoot } from '../toolchain';
import { callApi, signedIn, type Call } from './api-client';
import { BROKER_PORTS } from './brokers';
import { authorityOf, type ProductionShape } from './shape';

export interface Check {
  readonly name: string;
  /** What was seen, in some words. @throws when it does not hold. */
  readonly run: (shape: ProductionShape) => Promise<string>;
}

const FEEDER = 'elm-street';
const DISPATCH_KW = 80;
/** Household load changes between two meter readings; nobody controls that. */
const TOLERANCE = 1.02;

/** What has to hold end to end, with the simulated fleet running. In this order: the last ones break a part. */
export const CHECKS: readonly Check[] = [
  { name: 'each container calls itself healthy', run: everyContainerIsHealthy },
  { name: 'health is ok on both replicas of the API', run: bothReplicasAreOk },
  { name: 'a log-in goes through HAProxy with TLS, and nothing without the authority', run: logInNeedsTheAuthority },
  { name: 'the standby streams, and who writes comes through PgBouncer', run: standbyStreams },
  { name: 'Temporal and the brokers let nobody in without certificate or password', run: strangersAreRefused },
  { name: 'a dispatch is signalled and its setpoints reach a device over TLS', run: dispatchReachesDevices },
  { name: 'a backup of the database is verified in S3', run: backupIsVerified },
  { name: 'the stores of both brokers are backed up by their agents', run: brokersAreBackedUp },
  { name: 'Prometheus scrapes every target', run: everyTargetIsUp },
  { name: 'no alert fires but the watchdog, which Alertmanager has', run: onlyTheWatchdogFires },
  { name: 'a replica of the API is killed and no caller notices', run: killedReplicaIsNotNoticed },
];

/** By what compose asks with: the image's own script, in the environment of the process. */
async function everyContainerIsHealthy({ programs }: ProductionShape): Promise<string> {
  const containers = programs.all().filter(({ service }) => service !== 'simulator');
  const script = join(repositoryRoot(), 'deploy/health.mjs');
  await Promise.all(
    containers.map(async ({ name, env }) => {
      const asked = promisify(execFile)(process.execPath, [script], { env: { PATH: process.env['PATH'], ...env } });
      await asked.catch((cause: unknown) => {
        throw new Error(`${name} is not healthy`, { cause });
      });
    }),
  );
  return `${String(containers.length)} containers`;
}

async function bothReplicasAreOk({ programs }: ProductionShape): Promise<string> {
  const ask = async (address: string): Promise<string> => {
    const answer = await fetch(`http://${address}/api/health`, { signal: AbortSignal.timeout(10_000) });
    return ((await answer.json()) as { status: string }).status;
  };
  const states = await eventually(
    () => Promise.all(programs.of('api').map(({ at }) => ask(at(8080)))),
    (found) => found.every((status) => status === 'ok'),
    120_000,
  );
  return states.join(', ');
}

async function logInNeedsTheAuthority(shape: ProductionShape): Promise<string> {
  const call = await signedIn(shape);
  const { status } = await call('GET', '/api/feeders');
  must(status === 200, `GET /api/feeders answers ${String(status)}`);
  const withoutAuthority = await fetch(`${shape.apiUrl}/api/health`).then(
    () => 'taken',
    () => 'refused',
  );
  must(withoutAuthority === 'refused', 'a caller who does not know the authority was content with the certificate');
  const metrics = await callApi(shape)('GET', '/metrics');
  must(metrics.status === 404, `/metrics answers ${String(metrics.status)} from outside`);
  return new URL(shape.apiUrl).host;
}

async function standbyStreams({ database }: ProductionShape): Promise<string> {
  const primary = { ...database.pair.primary().login, database: 'derms' };
  await untilStreams(primary, 30_000);
  const plain = await onNode(primary, async (client) => {
    const { rows } = await client.query<{ plain: number; encrypted: number }>(
      `select count(*) filter (where not ssl)::integer as plain, count(*) filter (where ssl)::integer as encrypted
         from pg_stat_activity join pg_stat_ssl using (pid) where usename in ('derms_app', 'derms_backup')`,
    );
    return rows[0];
  });
  must(plain?.plain === 0 && plain.encrypted > 0, `sessions of the application: ${JSON.stringify(plain)}`);
  return `${String(plain.encrypted)} sessions, all with TLS`;
}

async function strangersAreRefused(shape: ProductionShape): Promise<string> {
  const { ground } = shape;
  const ca = readFileSync(authorityOf(shape));
  const port = ground.port(`mosquitto-active:${String(BROKER_PORTS.devices)}`);
  const broker = { host: 'localhost', port, protocol: 'mqtts', ca, reconnectPeriod: 0, connectTimeout: 5_000 } as const;
  for (const login of [{}, { username: 'simulator', password: 'guessed' }]) {
    const taken = await connectAsync({ ...broker, ...login }).then(
      async (client) => {
        await client.endAsync(true);
        return true;
      },
      () => false,
    );
    must(!taken, `a broker takes ${JSON.stringify(login)}`);
  }
  const withoutPair = {
    address: ground.at('temporal:7233'),
    tls: { serverRootCACertificate: ca },
    connectTimeout: 4_000,
  };
  const taken = await Connection.connect(withoutPair).then(
    async (connection) => {
      await connection.close();
      return true;
    },
    () => false,
  );
  must(!taken, 'Temporal takes a client without a certificate');
  return 'both refuse';
}

async function dispatchReachesDevices(shape: ProductionShape): Promise<string> {
  const call = await signedIn(shape);
  await eventually(
    () => flowKw(call),
    (flow) => flow > 1.2 * DISPATCH_KW,
    120_000,
  );
  const device = await connectAsync({
    ...{ host: 'localhost', port: shape.ground.port(`mosquitto-active:${String(BROKER_PORTS.devices)}`) },
    ...{ protocol: 'mqtts', ca: readFileSync(authorityOf(shape)) },
    ...{ username: 'simulator', password: shape.secrets['MQTT_SIMULATOR_PASSWORD'] ?? '', protocolVersion: 5 },
  });
  const fresh: string[] = [];
  device.on('message', (topic, payload, { retain }) => {
    if (!retain && isSetpoint(payload)) fresh.push(topic.split('/').at(-1) ?? '');
  });
  try {
    await device.subscribeAsync('der/setpoints/#', { qos: 1 });
    const endsAt = new Date(Date.now() + 60_000).toISOString();
    const body = { feederId: FEEDER, importLimitKw: DISPATCH_KW, endsAt, reason: 'production-shaped run' };
    fresh.length = 0; // those of before: the loop renews what is in force
    const signalledAt = performance.now();
    const answer = await call('POST', '/api/dispatches', body, { 'idempotency-key': crypto.randomUUID() });
    must(
      answer.status === 202,
      `the dispatch is answered with ${String(answer.status)} ${JSON.stringify(answer.body)}`,
    );
    await eventually(
      () => Promise.resolve(fresh.filter((deviceId) => deviceId.startsWith(FEEDER)).length),
      (count) => count > 0,
      20_000,
    );
    const seenAfterMs = Math.round(performance.now() - signalledAt);
    const flow = await eventually(
      () => flowKw(call),
      (kw) => kw <= DISPATCH_KW * TOLERANCE,
      45_000,
    );
    return `first setpoint after ${String(seenAfterMs)} ms, then ${flow.toFixed(1)} of ${String(DISPATCH_KW)} kW`;
  } finally {
    await device.endAsync(true);
  }
}

const isSetpoint = (payload: Buffer): boolean =>
  (JSON.parse(payload.toString()) as { messageType?: string }).messageType === 'setpoint'; // or it is none

/** Metered, of the feeder; NaN before the first reading. */
async function flowKw(call: Call): Promise<number> {
  const { body } = await call('GET', `/api/feeders/${FEEDER}`);
  const { flow } = body as { flow?: { readonly kw: number } | null };
  return flow?.kw ?? NaN;
}

/** By the script that CronJobs run, with a token that may do that alone. */
async function backupIsVerified(shape: ProductionShape): Promise<string> {
  const call = await signedIn(shape);
  const scopes = ['jobs:run:db-backup', 'read:runs', 'read:backups'];
  const token = await call('POST', '/api/auth/machine-tokens', { name: 'nightly', scopes, purpose: 'smoke' });
  await sleep(2_500); // every replica looks for new tokens each two seconds
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(repositoryRoot(), 'deploy/nightly-backup.mjs'), '3'],
    {
      env: {
        PATH: process.env['PATH'],
        DERMS_API_URL: shape.apiUrl,
        DERMS_TOKEN: String(token.body['token']),
        NODE_EXTRA_CA_CERTS: authorityOf(shape),
      },
    },
  );
  const bucket = shape.ground.path('storage', '/storage/data');
  const objects = readdirSync(join(bucket, 'derms-backups'), { recursive: true, withFileTypes: true });
  const files = objects.filter((entry) => entry.isFile());
  must(files.length > 0, 'the bucket holds nothing');
  return `${/backup (\S+) is (\w+): (\d+) bytes/.exec(stdout)?.slice(2).join(', ') ?? stdout.trim()} bytes`;
}

async function brokersAreBackedUp(shape: ProductionShape): Promise<string> {
  const call = await signedIn(shape);
  const started = await call('POST', '/api/jobs/mqtt-backup/runs', {}, { 'idempotency-key': crypto.randomUUID() });
  const runId = String(started.body['runId']);
  const run = await eventually(
    async () => (await call('GET', `/api/runs/${runId}`)).body,
    ({ finishedAt }) => typeof finishedAt === 'string',
    120_000,
  );
  must(run['state'] === 'succeeded', `run ${runId} of mqtt-backup: ${JSON.stringify(run)}`);
  return `run ${runId}`;
}

async function everyTargetIsUp({ monitoring, programs }: ProductionShape): Promise<string> {
  const ask = async (): Promise<{ health: string; scrapeUrl: string }[]> => {
    const answer = await fetch(`${monitoring.prometheusUrl}/api/v1/targets?state=active`);
    return ((await answer.json()) as { data: { activeTargets: { health: string; scrapeUrl: string }[] } }).data
      .activeTargets;
  };
  const targets = await eventually(
    ask,
    (found) => found.length > 0 && found.every(({ health }) => health === 'up'),
    60_000,
  );
  must(targets.length > programs.all().length, `there are only ${String(targets.length)} targets`);
  return `${String(targets.length)} targets`;
}

/** Runnable processes for each core, above which lateness is the machine's and no fault of ours. */
const OVERLOADED = 3;
const OF_AN_OVERLOADED_MACHINE = [
  'DermsTicksMissed',
  'DermsControlBudgetBurnsFast',
  'DermsControlBudgetBurnsSlowly',
  'DermsAuditNotWritten', // a connection to PostgreSQL took more than two seconds
];

async function onlyTheWatchdogFires({ monitoring }: ProductionShape): Promise<string> {
  const answer = await fetch(`${monitoring.prometheusUrl}/api/v1/alerts`);
  const { data } = (await answer.json()) as {
    data: { alerts: { state: string; labels: { alertname: string } }[] };
  };
  const named = (state: string): string[] =>
    data.alerts.filter((alert) => alert.state === state).map(({ labels }) => labels.alertname);
  const isLate = cpus().length * OVERLOADED < (loadavg()[0] ?? 0);
  const firing = [...new Set(named('firing'))].filter((name) => name !== 'DermsWatchdog');
  const ofTheMachine = firing.filter((name) => isLate && OF_AN_OVERLOADED_MACHINE.includes(name));
  const unexpected = firing.filter((name) => !ofTheMachine.includes(name));
  must(unexpected.length === 0, `these fire: ${unexpected.join(', ')}`);
  await eventually(
    async () =>
      (await (await fetch(`${monitoring.alertmanagerUrl}/api/v2/alerts`)).json()) as {
        labels: Record<string, string>;
      }[],
    (alerts) => alerts.some(({ labels }) => labels['alertname'] === 'DermsWatchdog'),
    60_000,
  );
  const pending = [...new Set(named('pending'))];
  return [
    `pending: ${pending.join(', ') || 'none'}`,
    ...(ofTheMachine.length > 0 ? [`this machine is overloaded, therefore: ${ofTheMachine.join(', ')}`] : []),
  ].join('; ');
}

const CALLS = 150;
const KILLED_AFTER = 50;

async function killedReplicaIsNotNoticed(shape: ProductionShape): Promise<string> {
  const call = await signedIn(shape);
  const victim = shape.parts.named('api-a');
  const wrong: number[] = [];
  for (let asked = 0; asked < CALLS; asked += 1) {
    if (asked === KILLED_AFTER) await victim.process().kill();
    const { status, body } = await call('GET', `/api/feeders/${FEEDER}`);
    // A problem that a replica itself tells has come through: on a busy machine its database may be late.
    if (status !== 200 && typeof body['code'] !== 'string') wrong.push(status);
  }
  must(
    wrong.length === 0,
    `of ${String(CALLS)} requests ${String(wrong.length)} were answered with ${wrong.join(', ')}`,
  );
  await victim.startAgain?.();
  return `${String(CALLS)} requests, all answered`;
}

function must(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}

/** Asks each quarter of a second until it holds; what was seen last is in the error. */
export async function eventually<T>(ask: () => Promise<T>, holds: (seen: T) => boolean, withinMs: number): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const seen = await ask();
    if (holds(seen)) return seen;
    if (performance.now() > deadline)
      throw new Error(`not within ${String(withinMs / 1_000)} s; last: ${JSON.stringify(seen)}`);
    await sleep(250);
  }
}
