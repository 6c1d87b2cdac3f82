import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import type { Database } from '../../db/pool';
import { withClient } from '../../backups/restore/admin-client';
import type { TestSystem } from '../../local/test-system';
import { jobWorkflowId } from '../../workflows/messages';
import { eventually } from '../support/servers';
import { apiAs, closeListeners, databaseOf, listenToSetpoints, meterKw, metric, sleep, startDemo } from './support';

const REPOSITORY = join(__dirname, '../..');
const RUNBOOK = readFileSync(join(REPOSITORY, 'docs/runbooks/restore.md'), 'utf8');
/** Household load changes between two meter readings; nobody controls that. */
const TOLERANCE = 1.02;
const DISPATCH_KW = 80;
/** Of the demo fleet's loops. */
const INTERVAL_MS = 5_000;
const BACKUP_LASTS_MS = 40_000;

let system: TestSystem;
let db: Database;
let admin: Awaited<ReturnType<typeof apiAs>>;

beforeAll(async () => {
  system = await startDemo();
  db = databaseOf(system);
  admin = await apiAs(system, 'admin');
  await eventually(async () => expect(await meterKw(db, 'elm-street')).toBeGreaterThan(100), 60_000, 250);
}, 120_000);
afterEach(closeListeners);
afterAll(async () => {
  await db.close();
  await system.stop();
}, 30_000);

/** Runs a line of the runbook as an operator pastes it, with the settings of worker, migrations and command line. */
async function asTheRunbookSays(line: string): Promise<{ code: number; out: string }> {
  expect(RUNBOOK).toContain(`\n    ${line}`);
  const { worker, migrate, cli } = system.environments;
  return new Promise((resolve) => {
    const env = { ...process.env, ...cli, ...worker, ...migrate };
    const child = execFile('bash', ['-c', line], { cwd: REPOSITORY, env }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, out: `${stdout}${stderr}` });
    });
    child.stdin?.end();
  });
}

const onServer = (sql: string) => {
  const { host, port, superuser: user, password } = system.stack.postgres;
  return withClient({ host, port, user, password, database: 'postgres' }, 'test', (client) => client.query(sql));
};

async function run(jobName: string, input: object = {}): Promise<Record<string, unknown>> {
  const started = await admin('POST', `/api/jobs/${jobName}/runs`, input);
  expect(started.status).toBe(202);
  return eventually(
    async () => {
      const { body } = await admin('GET', `/api/runs/${String(started.body['runId'])}`);
      expect(body['finishedAt']).not.toBeNull();
      return body;
    },
    BACKUP_LASTS_MS,
    250,
  );
}

async function accept(feederId: string, importLimitKw: number, lastsMs: number): Promise<string> {
  const order = { feederId, importLimitKw, reason: 'transformer runs hot' };
  const endsAt = new Date(Date.now() + lastsMs).toISOString();
  const key = { 'idempotency-key': crypto.randomUUID() };
  const { status, body } = await admin('POST', '/api/dispatches', { ...order, endsAt }, key);
  expect(status).toBe(202);
  return String(body['dispatchId']);
}

/** As one that was registered after the backup has it, and without an end. */
async function publishForGoneDevice(): Promise<void> {
  const { mosquitto, brokerUser } = system.stack;
  const client = await connectAsync({ host: mosquitto.host, port: mosquitto.port, ...brokerUser });
  const command = { targetPowerKw: 3, mode: 'import', validUntilMs: Date.now() + 3_600_000 };
  const envelope = { v: 1, messageType: 'setpoint', messageId: crypto.randomUUID(), timestampMs: Date.now() };
  const setpoint = { ...envelope, deviceId: 'gone', deviceType: 'ev', payload: { command } };
  await client.publishAsync('der/setpoints/ev/gone', JSON.stringify(setpoint), { qos: 1, retain: true });
  await client.endAsync();
}

const limitOf = async (feederId: string) =>
  ((await admin('GET', `/api/feeders/${feederId}`)).body as { importLimitKw: number }).importLimitKw;
const stateOf = async (dispatchId: string) => (await admin('GET', `/api/dispatches/${dispatchId}`)).body['state'];
const cyclesStored = async (): Promise<number> =>
  Number((await db.query<{ count: string }>('select count(*) from control_cycles')).rows[0]?.count);
const gauge = (name: string, labels?: Record<string, string>) => metric(`${system.apiUrl}/metrics`, name, labels);

it('brings everything back after the night when the database is lost', async () => {
  // Before: one dispatch that the backup knows and whose end nobody will see, and the backup.
  const past = await accept('mill-road', 100, BACKUP_LASTS_MS);
  const backup = await run('db-backup');
  expect(backup).toMatchObject({ state: 'succeeded' });
  const { backupId } = backup['result'] as { backupId: string };

  // After it: what the backup does not know.
  const forgotten = await accept('elm-street', DISPATCH_KW, 600_000);
  const forgottenRun = await run('tick-audit');
  const { headers } = await admin('GET', '/api/feeders/market-square');
  const lowered = { importLimitKw: 120 };
  await admin('PATCH', '/api/feeders/market-square', lowered, { 'if-match': headers.get('etag')! });
  expect(await limitOf('market-square')).toBe(120);
  const { seen } = await listenToSetpoints(system);
  await eventually(async () => expect(await meterKw(db, 'elm-street')).toBeLessThanOrEqual(DISPATCH_KW), 30_000, 250);

  await publishForGoneDevice();

  // The loss.
  await onServer('drop database derms with (force)');
  await eventually(async () => expect(await gauge('derms_db_up')).toBe(0), 15_000, 250);
  await sleep(Math.max(0, Date.parse(String(backup['requestedAt'])) + BACKUP_LASTS_MS - Date.now()));

  const listed = await asTheRunbookSays('npm run restore -- --list');
  expect(listed).toMatchObject({ code: 0, out: expect.stringContaining(backupId) });
  const restored = await asTheRunbookSays('npm run restore -- --latest');
  expect(restored).toMatchObject({ code: 0, out: expect.stringContaining('QUARANTINED') });
  expect(restored.out).toContain('all equal to the manifest');
  const restoredAtMs = Date.now();

  // Quarantined: health and metrics show it, reading works, nothing is written, planned or published.
  await eventually(
    async () => {
      expect(await (await fetch(`${system.apiUrl}/api/health`)).json()).toMatchObject({
        status: 'degraded',
        quarantined: true,
        feeders: [{ loop: 'quarantined' }, { loop: 'quarantined' }],
      });
      expect([await gauge('derms_db_up'), await gauge('derms_quarantined')]).toEqual([1, 1]);
    },
    20_000,
    250,
  );
  // Nobody knows which tokens were revoked since the backup: people log in again.
  await eventually(async () => expect((await admin('GET', '/api/feeders')).status).toBe(401), 10_000, 250);
  admin = await apiAs(system, 'admin');
  expect(await limitOf('market-square')).toBe(160);
  expect((await admin('GET', `/api/dispatches/${forgotten}`)).status).toBe(404);
  const refused = await admin('PATCH', '/api/feeders/market-square', lowered, { 'if-match': '"1"' });
  expect(refused).toMatchObject({
    status: 503,
    body: { code: 'QUARANTINED', type: '/api/docs/errors#QUARANTINED' },
  });
  expect(refused.headers.get('retry-after')).not.toBeNull();
  const cycles = await cyclesStored();
  await sleep(2 * INTERVAL_MS + 1_000);
  expect(await cyclesStored()).toBe(cycles);
  expect(seen.filter(({ retained, receivedAtMs }) => !retained && receivedAtMs > restoredAtMs)).toEqual([]);

  // Compared with Temporal and the broker.
  const shown = await asTheRunbookSays('npm run derms -- quarantine');
  expect(shown).toMatchObject({ code: 1, out: expect.stringContaining(`restored from backup ${backupId}`) });
  const early = await asTheRunbookSays('npm run derms -- quarantine lift --reason "compared, control room informed"');
  expect(early).toMatchObject({ code: 1, out: expect.stringContaining('npm run reconcile') });
  const looked = await asTheRunbookSays('npm run reconcile');
  expect(looked.out).toContain(`would dispatch-unknown ${forgotten}`);
  expect(looked.out).toContain(`would dispatch-past ${past}`);
  expect(looked.out).toContain(`would run-unknown ${jobWorkflowId('tick-audit', String(forgottenRun['runId']))}`);
  expect(looked.out).toContain('would setpoint-of-unknown-device der/setpoints/ev/gone');
  expect(looked.out).toContain('would backup-unknown dump/');
  expect(looked.code).toBe(3);
  const applied = await asTheRunbookSays('npm run reconcile -- --apply');
  expect(applied).toMatchObject({ code: 0, out: expect.stringContaining('Nothing is open') });
  expect(['completed', 'expired']).toContain(await stateOf(past));
  expect((await admin('GET', `/api/runs/${String(forgottenRun['runId'])}`)).body).toMatchObject({ state: 'succeeded' });
  expect(await cyclesStored()).toBe(cycles);
  const devices = await listenToSetpoints(system);
  await sleep(500);
  expect(devices.seen.map(({ deviceId }) => deviceId)).not.toContain('gone');
  // The backup that it was restored from was made after what it shows: it is on record again, not yet proven again.
  expect((await admin('GET', `/api/backups/${backupId}`)).body).toMatchObject({ state: 'stored', proofCheckId: null });

  // An administrator lifts it: control goes on, with the dispatch that only Temporal knew, and holds at the meter.
  expect((await (await apiAs(system, 'operator'))('POST', '/api/quarantine/lift', { reason: 'x' })).status).toBe(403);
  const liftedAtMs = Date.now();
  const lifted = await asTheRunbookSays('npm run derms -- quarantine lift --reason "compared, control room informed"');
  expect(lifted).toMatchObject({ code: 0, out: expect.stringContaining('Lifted') });
  await eventually(async () => expect(await stateOf(forgotten)).toBe('active'), 30_000, 250);
  await eventually(
    async () => {
      expect(await (await fetch(`${system.apiUrl}/api/health`)).json()).toMatchObject({ quarantined: false });
      for (const feeder of ['substation-north', 'substation-south'])
        expect([feeder, await gauge('derms_control_loop_ok', { feeder })]).toEqual([feeder, 1]);
      expect(await gauge('derms_quarantined')).toBe(0);
    },
    90_000,
    250,
  );
  // Every device hears again what it is asked, in place of what was retained.
  const { rows } = await db.query<{ device_id: string }>(
    'select device_id from devices join device_control using (device_key) where acknowledged_valid_until > now()',
  );
  expect(rows.length).toBeGreaterThan(100);
  await eventually(() => {
    const sentAgain = new Set(
      seen.filter(({ receivedAtMs }) => receivedAtMs > liftedAtMs).map(({ deviceId }) => deviceId),
    );
    expect(rows.map(({ device_id }) => device_id).filter((deviceId) => !sentAgain.has(deviceId))).toEqual([]);
  }, 20_000);
  await eventually(async () => expect(await meterKw(db, 'elm-street')).toBeLessThanOrEqual(DISPATCH_KW), 30_000, 250);
  const proven = await asTheRunbookSays('npm run derms -- job backup-verify --follow');
  expect(proven).toMatchObject({ code: 0, out: expect.stringContaining('backup verified') });
  const all = await asTheRunbookSays('npm run derms -- backups');
  expect(all).toMatchObject({ code: 0, out: expect.stringContaining(backupId) });
  expect((await admin('GET', `/api/backups/${backupId}`)).body).toMatchObject({ state: 'verified' });
  await sleep(15_000);
  const { rows: meters } = await db.query<{
    feeder_id: string;
    most: number;
    least: number;
    limit: number;
    export: number;
  }>(
    `select feeder_id, max(flow_kw) as most, min(flow_kw) as least, import_limit_kw as limit, export_limit_kw as export
       from meter_readings join feeders using (feeder_id) where sampled_at > now() - interval '15 s' group by 1, 4, 5`,
  );
  expect(meters).toHaveLength(6);
  for (const { feeder_id: feeder, most, least, limit, export: exported } of meters) {
    const held = feeder === 'elm-street' ? DISPATCH_KW : limit;
    expect([feeder, most <= held * TOLERANCE, least >= -exported * TOLERANCE]).toEqual([feeder, true, true]);
  }
}, 400_000);
