import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadJobs } from '../../jobs/runner/load-jobs';
import { METRICS_OFFSETS, WORKER_ROLES } from '../../local/ports';
import type { TestSystem } from '../../local/test-system';
import { commandsOf } from '../support/runbook-commands';
import { eventually } from '../support/servers';
import { terminalOf, type Answer, type Placeholders, type Terminal } from '../support/typed-commands';
import { apiAs, DEMO, startDemo } from './support';

// Every command on the pages of the jobs, of the alerts and of operations, typed as it stands there, against the running system.
// Those of restore.md are run in everything-down.test.ts; that all others at least read as commands is in
// test/docs/runbooks.test.ts. What asks Prometheus or Alertmanager is typed where those run: test/proofs/alerts/one-page.test.ts.

const ROOT = join(__dirname, '../..');
const OF_JOBS = [...new Set([...loadJobs().values()].map(({ runbook }) => runbook)), 'backup-key.md', 'schedules.md'];
const OF_OPERATIONS = [
  ...['api-security.md', 'control-loop-health.md', 'environments.md', 'jwt-secret.md', 'metrics-and-alerting.md'],
  ...['postgres-failover.md', 'structured-logging.md'],
];
const OF_ALERTS = readdirSync(join(ROOT, 'docs/runbooks/alerts'))
  .filter((name) => name !== 'README.md')
  .map((name) => `alerts/${name}`);
const PAGES = [...OF_JOBS, ...OF_OPERATIONS, ...OF_ALERTS].sort();

/** What answers something else than that all is well, on a system that archives no log and was never restored. */
const EXPECTED: Readonly<Record<string, Pick<Answer, 'code'> & { readonly says: string }>> = {
  'npm run derms -- job base-backup --follow': { code: 4, says: 'WAL archiving is off' },
  'npm run reconcile': { code: 1, says: 'not quarantined' },
  'npm run restore -- --to-time 2026-11-25T14:02:30Z --into-directory /var/lib/postgresql/recovered': {
    code: 1,
    says: 'no base backup',
  },
  'curl -s "$API/api/feeders" -H "authorization: Bearer $OLD_TOKEN" -o /dev/null -w \'%{http_code}\\n\'': {
    ...{ code: 22, says: '401' },
  },
  // It is over, and says so.
  'npm run derms -- cancel-run RUN_ID --reason "WHY"': { code: 1, says: 'RUN_OVER' },
  // Scheduled in staging alone.
  'npm run derms -- schedule show job-mqtt-failover-drill': { code: 1, says: 'SCHEDULE_NOT_FOUND' },
  // Nobody has said who may break what.
  'npm run derms -- job postgres-failover-drill --follow': { code: 4, says: 'POSTGRES_DRILL_NODES is not set' },
  'npm run derms -- job mqtt-failover-drill --follow': { code: 4, says: 'MQTT_DRILL_COMMAND is not set' },
  'npm run derms -- job worker-crash-drill --follow': { code: 4, says: 'WORKER_DRILL_COMMAND is not set' },
  [`npm run derms -- job postgres-failover-drill --input '{"scenario": "planned"}' --follow`]: {
    ...{ code: 4, says: 'POSTGRES_DRILL_NODES is not set' },
  },
};
const NOT_TYPED = [
  'npm run restore', // a page speaks of the program and not of a command
  'npm run --silent auth:hash -- --user U --role R', // asks for a password: test/unit/cli/commands.test.ts
  'npm run audit:packages', // asks a registry: test/local/audit-packages.test.ts
  'npm run drill -- postgres-failover', // a laboratory of its own: test/proofs/failover
  'npm run drill -- mqtt-failover',
  'npm run drill -- worker-crash',
  'npm run docs:alerts', // writes into this checkout: test/docs/alerts.test.ts
];
const OF_MONITORING = /\$(PROMETHEUS|ALERTMANAGER)\b/;

let system: TestSystem;
let admin: Awaited<ReturnType<typeof apiAs>>;
let terminal: Terminal;
let placeholders: Placeholders;
/** Many pages begin with the same look: each command is typed once. */
const typed = new Set<string>();

beforeAll(async () => {
  system = await startDemo();
  admin = await apiAs(system, 'admin');
  const keys = join(system.stack.folder, 'keys');
  writeFileSync(keys, system.environments.worker['BACKUP_ENCRYPTION_KEYS']!, { mode: 0o600 });
  terminal = await terminalOf(system, [`BACKUP_ENCRYPTION_KEYS_FILE='${keys}'`, 'OLD_TOKEN=of-another-time']);
  spawnSync('git', ['init', '--quiet', terminal.folder]);
  const control = `127.0.0.1:${String(system.ports.metrics + METRICS_OFFSETS.worker + 1 + WORKER_ROLES.indexOf('control'))}`;
  const backup = await finished('db-backup');
  await finished('mqtt-backup');
  placeholders = {
    RUN_ID: String(backup['runId']),
    BACKUP_ID: (backup['result'] as { backupId: string }).backupId,
    BACKUP_DB_USER: system.environments.worker['BACKUP_DB_USER']!,
    FEEDER: 'substation-north',
    DEVICE_ID: 'elm-street-1-ev',
    DISPATCH_ID: await dispatched(),
    ...{ 'HOST:PORT': control, INSTANCE: control },
    FILE: `'${DEMO}'`,
    SESSION: '0',
    'job-NAME': 'job-tick-audit',
    '{scheduleId}': 'job-db-backup',
    '{deviceId}': 'elm-street-1-ev',
    'from=…&to=…': `from=${new Date(Date.now() - 3_600_000).toISOString()}&to=${new Date().toISOString()}`,
    '(PID)': '(0)',
  };
}, 180_000);
afterAll(() => system.stop(), 30_000);

it.each(PAGES)(
  'every command of %s works',
  async (page) => {
    const commands = commandsOf(page).filter(
      ({ text, elsewhere }) => !elsewhere && !NOT_TYPED.includes(text) && !OF_MONITORING.test(text) && !typed.has(text),
    );
    const failed: string[] = [];
    for (const command of commands) {
      await idle();
      typed.add(command.text);
      const { code, out } = await terminal.type(command, placeholders);
      const { code: wanted, says } = EXPECTED[command.text] ?? { code: 0, says: '' };
      if (code !== wanted || !out.includes(says))
        failed.push(`${command.where} ${command.text}\n  ended with ${String(code)}: ${out.slice(-500)}`);
    }
    expect(failed).toEqual([]);
  },
  180_000,
);

async function finished(jobName: string): Promise<Record<string, unknown>> {
  const { body } = await admin('POST', `/api/jobs/${jobName}/runs`, {});
  const run = await eventually(
    async () => {
      const { body: found } = await admin('GET', `/api/runs/${String(body['runId'])}`);
      expect(found['finishedAt']).not.toBeNull();
      return found;
    },
    90_000,
    250,
  );
  expect(run['state']).toBe('succeeded');
  return run;
}

/** A dispatch that is over within seconds. */
async function dispatched(): Promise<string> {
  const wanted = {
    ...{ feederId: 'elm-street', importLimitKw: 90, reason: 'a page is typed' },
    endsAt: new Date(Date.now() + 15_000).toISOString(),
  };
  const { status, body } = await admin('POST', '/api/dispatches', wanted, { 'idempotency-key': 'typed' });
  expect([status, body]).toEqual([202, expect.objectContaining({ dispatchId: expect.any(String) as string })]);
  return String(body['dispatchId']);
}

/** What a command has started is over, so that the next may start it too. */
const idle = (): Promise<void> =>
  eventually(
    async () => {
      for (const state of ['waiting', 'running'])
        expect((await admin('GET', `/api/runs?state=${state}`)).body['items']).toEqual([]);
    },
    90_000,
    250,
  );
