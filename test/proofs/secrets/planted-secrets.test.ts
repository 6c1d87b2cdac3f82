import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client as PostgresClient } from 'pg';
import type { Database } from '../../../db/pool';
import { startMosquitto } from '../../../local/mosquitto';
import { repositoryRoot } from '../../../local/toolchain';
import type { TestSystem } from '../../../local/test-system';
import { startVersitygw, type VersitygwServer } from '../../../local/versitygw';
import { freePort } from '../../../servers/free-port';
import { BACKUP_BUCKET, backupBucketSettings, makeBackupBucket } from '../../support/backup-bucket';
import { eventually } from '../../support/servers';
import { startTemporalFront, type TemporalFront } from '../../support/temporal-front';
import { historiesOf, logsOf, metricsOf, rowsOf } from './planted/haystacks';
import { findSecrets, type Haystack, type Needles } from './planted/needles';
import { watchProcesses, type ProcessWatch } from './planted/process-watch';
import { apiAs, databaseOf, sleep, startDemo } from '../../e2e/support';

// A whole day of the system in a minute, with secrets that are known, the keys of a bucket and of Temporal among them: log-ins,
// dispatches, backups, a restore, refused and failing connections. Afterwards everything that it said, stored or showed is searched for them.

const S3_SECRET = randomBytes(24).toString('base64url');
const TEMPORAL_KEY = randomBytes(24).toString('base64url');
const MISTYPED = `Mistyped-${randomBytes(9).toString('base64url')}`;
/** Stands in all that may hold it, so that each place is known to be searched. */
const MARK = `mark-${randomUUID()}`;

let system: TestSystem;
const s3Folder = mkdtempSync(join(tmpdir(), 'derms-test-planted-'));
let bucket: VersitygwServer;
let temporal: TemporalFront;
let db: Database;
let watch: ProcessWatch;
let needles: Needles;
const answers = new Map<string, string>();
const replaced: { stop(): Promise<unknown> }[] = [];

beforeAll(async () => {
  bucket = await startVersitygw({ folder: join(s3Folder, 's3'), secretAccessKey: S3_SECRET });
  (await makeBackupBucket(bucket)).destroy();
  system = await startDemo({
    env: { ...backupBucketSettings(bucket), LOG_LEVEL: 'debug' },
    front: async (stack) => {
      temporal = await startTemporalFront(stack, { commonName: 'planted', apiKey: TEMPORAL_KEY });
      return { ...temporal, env: { ...temporal.env, TEMPORAL_API_KEY: TEMPORAL_KEY } };
    },
  });
  db = databaseOf(system);
  watch = watchProcesses((['api', 'worker', 'simulator'] as const).map((name) => system.running(name).pid));
  const tokens = await liveThroughADay();
  const { secrets } = system;
  needles = {
    'JWT secret': secrets.jwtSecret,
    'password of the application at PostgreSQL': secrets.postgresApp,
    'password of the owner at PostgreSQL': secrets.postgresAdmin,
    'password of backups at PostgreSQL': secrets.postgresBackup,
    'password at the broker': secrets.mqttBackend,
    'secret of the bucket': S3_SECRET,
    'API key for Temporal': TEMPORAL_KEY,
    'key of the backups': secrets.backupKeys.split(':')[1]!,
    ...Object.fromEntries(Object.entries(secrets.users).map(([user, password]) => [`password of ${user}`, password])),
    ...Object.fromEntries(
      hashesOf(system.environments.api['AUTH_USERS']!).map((hash, n) => [`password hash ${String(n)}`, hash]),
    ),
    'a password that was mistyped': MISTYPED,
    ...tokens,
  };
}, 240_000);
afterAll(async () => {
  watch.stop();
  await db.close();
  await system.stop();
  for (const server of replaced) await server.stop();
  await bucket.stop();
  rmSync(s3Folder, { recursive: true, force: true });
}, 60_000);

const hashesOf = (users: string): string[] => (JSON.parse(users) as { hash: string }[]).map(({ hash }) => hash);

/** Returns the tokens that were issued meanwhile. */
async function liveThroughADay(): Promise<Needles> {
  const operator = await recorded('operator');
  const admin = await recorded('admin');
  for (const user of ['operator', MISTYPED]) await post('/api/auth/login', { user, password: MISTYPED });
  const machine = await admin.call('POST', '/api/auth/machine-tokens', {
    ...{ name: 'nightly', scopes: ['read:*', 'jobs:run:*'], purpose: MARK },
    validDays: 1,
  });
  expect(machine.status).toBe(201);
  const machineToken = String(machine.body['token']);

  await operator.call(
    'POST',
    '/api/dispatches',
    { feederId: 'elm-street', importLimitKw: 60, endsAt: new Date(Date.now() + 600_000).toISOString(), reason: MARK },
    { 'idempotency-key': MARK },
  );
  await operator.call('POST', '/api/dispatches', { feederId: 'elm-street', token: machineToken });
  await operator.call('GET', `/api/devices?token=${machineToken}`);
  await get('/api/feeders', { authorization: `Bearer ${machineToken}` });
  await get('/api/feeders', { authorization: `Bearer ${machineToken}x` });
  await get('/api/feeders', { authorization: `Bearer ${operator.token.slice(0, -3)}AAA`, 'x-request-id': MARK });
  for (const job of ['db-backup', 'restore-drill', 'mqtt-backup', 'secrets-check', 'audit-head'])
    await runJob(operator, job);
  await refusedByPostgres();
  await refusedByTheBroker();
  await aBucketThatIsNotThere();
  const { paths } = JSON.parse(await get('/api/openapi.json')) as { paths: Record<string, object> };
  for (const [path, methods] of Object.entries(paths))
    if ('get' in methods && !path.includes('{')) await get(path, { authorization: `Bearer ${admin.token}` });
  return {
    'access token of operator': operator.token,
    'access token of admin': admin.token,
    'machine token': machineToken,
  };
}

type Session = Awaited<ReturnType<typeof recorded>>;

/** The API as somebody whose answers are kept; the one that hands out a token is not. */
async function recorded(user: 'operator' | 'admin') {
  const token = await system.signIn(user);
  const call = await apiAs(system, user);
  return {
    token,
    call: async (...args: Parameters<typeof call>) => {
      const answer = await call(...args);
      if (args[1] !== '/api/auth/machine-tokens' || args[0] === 'GET')
        answers.set(`answer ${args[0]} ${args[1].split('?')[0]!} ${String(answers.size)}`, JSON.stringify(answer.body));
      return answer;
    },
  };
}

async function get(path: string, headers: Record<string, string> = {}): Promise<string> {
  const response = await fetch(`${system.apiUrl}${path}`, { headers, signal: AbortSignal.timeout(10_000) });
  const text = await response.text();
  answers.set(`answer GET ${path} ${String(answers.size)}`, text);
  return text;
}

async function post(path: string, body: object): Promise<void> {
  const response = await fetch(`${system.apiUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(20_000),
  });
  answers.set(`answer POST ${path} ${String(answers.size)}`, await response.text());
}

async function runJob({ call }: Session, jobName: string): Promise<void> {
  let { body } = await call('POST', `/api/jobs/${jobName}/runs`, {}, { prefer: 'wait=5' });
  const until = Date.now() + 90_000;
  while (body['finishedAt'] === null && Date.now() < until) {
    await sleep(250);
    ({ body } = await call('GET', `/api/runs/${String(body['runId'])}`));
  }
  expect(body).toMatchObject({ jobName, state: 'succeeded' });
}

/** Every new connection of the application is refused for a while. */
async function refusedByPostgres(): Promise<void> {
  const { host, port, superuser, password } = system.stack.postgres;
  const owner = new PostgresClient({ host, port, user: superuser, password, database: 'derms' });
  await owner.connect();
  try {
    await owner.query("alter role derms_app password 'another'");
    await owner.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'derms_app'");
    await eventually(() => expect(textOf(logsOf(system))).toContain('password authentication failed'), 30_000, 250);
  } finally {
    await owner.query(`alter role derms_app password '${system.secrets.postgresApp}'`);
    await owner.end();
  }
}

async function refusedByTheBroker(): Promise<void> {
  const { mosquitto, brokerUser, folder } = system.stack;
  const start = async (password: string) =>
    startMosquitto({ dataDir: join(folder, 'mosquitto'), port: mosquitto.port, users: [{ ...brokerUser, password }] });
  await mosquitto.stop();
  const other = await start('another');
  await eventually(() => expect(textOf(logsOf(system))).toMatch(/Not authorized|Bad User Name/i), 30_000, 250);
  await other.stop();
  replaced.push(await start(brokerUser.password));
}

async function aBucketThatIsNotThere(): Promise<void> {
  const env = {
    ...{ PATH: process.env['PATH'], BACKUP_STORAGE: 's3://backups/derms' },
    ...{ BACKUP_S3_ENDPOINT: `http://127.0.0.1:${String(await freePort())}`, BACKUP_S3_FORCE_PATH_STYLE: 'true' },
    ...{ BACKUP_S3_ACCESS_KEY_ID: 'AKIA-TEST', BACKUP_S3_SECRET_ACCESS_KEY: S3_SECRET },
    BACKUP_ENCRYPTION_KEYS: system.secrets.backupKeys,
  };
  const script = join(repositoryRoot(), 'dist/backups/restore-main.js');
  await new Promise<void>((resolve) => {
    execFile(
      'node',
      [script, '--list'],
      { env, cwd: system.stack.folder, timeout: 60_000 },
      (error, stdout, stderr) => {
        expect(error?.code).not.toBe(0);
        answers.set('what restore says of a bucket that is not there', stdout + stderr);
        resolve();
      },
    );
  });
}

const textOf = (haystack: Haystack): string => [...haystack.values()].join('\n');
/** What may be anywhere: proves that the place was searched, and that a search finds what is there. */
const marked = (haystack: Haystack): number => findSecrets(haystack, { mark: MARK }).length;

it('both keys were used: backups lie in the bucket, and Temporal was reached with the key', () => {
  const objects = readdirSync(join(s3Folder, 's3/data', BACKUP_BUCKET), { recursive: true, encoding: 'utf8' });
  expect(objects).toContainEqual(expect.stringContaining('manifest'));
  expect(new Set(temporal.gateway.passed.map(({ authorization }) => authorization))).toEqual(
    new Set([`Bearer ${TEMPORAL_KEY}`]),
  );
});

it('no log holds a secret', () => {
  const logs = logsOf(system);

  expect([...logs.keys()]).toEqual(
    expect.arrayContaining(['log api.log', 'log worker.log', 'log simulator.log', 'log temporal.log']),
  );
  expect(marked(logs)).toBeGreaterThan(0);
  expect(findSecrets(logs, needles)).toEqual([]);
});

it('no history in Temporal holds a secret', async () => {
  const histories = await historiesOf(system);

  expect([...histories.keys()].filter((name) => name.includes('job/db-backup/'))).not.toEqual([]);
  expect(findSecrets(histories, { feeder: 'elm-street' }).length).toBeGreaterThan(0);
  expect(findSecrets(histories, needles)).toEqual([]);
}, 60_000);

it('no metric of any process holds a secret', async () => {
  const metrics = await metricsOf(system);

  expect(findSecrets(metrics, { feeder: 'substation-north' }).length).toBeGreaterThan(0);
  // Of their ages everybody may know: those of the API, and those that the jobs role told.
  for (const name of ['AUTH_USERS', 'BACKUP_DB_PASSWORD', 'DB_PASSWORD', 'JWT_SECRET', 'MQTT_PASSWORD'])
    expect(metrics.get('metrics api')).toMatch(new RegExp(`derms_secret_age_seconds\\{[^}]*"${name}"[^}]*\\} \\d+\n`));
  expect(findSecrets(metrics, needles)).toEqual([]);
});

it('no command line holds a secret, and programs that are not ours get none that they do not need', () => {
  expect([...watch.environments.keys()]).toEqual(
    expect.arrayContaining(['environment of pg_dump', 'environment of postgres']),
  );
  expect(findSecrets(watch.commandLines, needles)).toEqual([]);
  const given = findSecrets(watch.environments, needles);

  // In the environment of that one process, which only its own user reads: see backups/postgres/server.ts.
  expect(given).toContain('environment of pg_dump: password of backups at PostgreSQL');
  expect(given.filter((found) => !found.endsWith(': password of backups at PostgreSQL'))).toEqual([]);
});

it('no answer of the API holds a secret', () => {
  const given: Haystack = answers;

  expect(marked(given)).toBeGreaterThan(0);
  expect(findSecrets(given, needles)).toEqual([]);
});

it('no row of any table holds a secret, the audit log and its export neither', async () => {
  const rows = await rowsOf(db);
  const files = ['jsonl', 'csv'].map((format) => join(system.stack.folder, `export.${format}`));
  for (const file of files) await system.derms('audit', 'export', file, '--format', file.split('.').at(-1)!);
  const exported = new Map(files.map((file) => [`export ${file}`, readFileSync(file, 'utf8')]));

  expect(rows.get('table audit_log')).toContain(MARK);
  expect(marked(exported)).toBe(2);
  expect(findSecrets(new Map([...rows, ...exported]), needles)).toEqual([]);
}, 60_000);

it('one that somebody puts where it does not belong is found', async () => {
  const operator = await apiAs(system, 'operator');
  const reason = `the viewer's password is ${system.secrets.users.viewer}`;
  await operator('POST', '/api/jobs/secrets-check/runs', {});
  await operator(
    'POST',
    '/api/dispatches',
    {
      ...{ feederId: 'elm-street', importLimitKw: 70, endsAt: new Date(Date.now() + 600_000).toISOString(), reason },
    },
    { 'idempotency-key': randomUUID() },
  );

  expect(findSecrets(await rowsOf(db), needles)).toEqual(
    expect.arrayContaining(['table audit_log: password of viewer', 'table dispatches: password of viewer']),
  );
});
