import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { temporal as protocol } from '@temporalio/proto';
import { withClient } from '../../../backups/restore/admin-client';
import { decideDispatch } from '../../../db/dispatch-admission';
import { imposeQuarantine, liftQuarantine, readReconciliation } from '../../../db/quarantine';
import type { Finding } from '../../../domain/reconciliation';
import { newKeyEntry } from '../../../storage/encryption/key-ring';
import { createWorkflowStarter } from '../../../temporal/workflow-starter';
import { jobWorkflowId } from '../../../workflows/messages';
import { addEv, addFeeder } from '../../support/fleet-rows';
import { createTestDatabase, createTestNamespace, eventually, testServers } from '../../support/servers';
import type { TestDatabase, TestNamespace } from '../../support/servers';
import { ANNA } from '../db/people-writes';

const BUILT = join(__dirname, '../../../dist/backups/reconcile-main.js');
const HOUR_MS = 3_600_000;

let database: TestDatabase;
let temporal: TestNamespace;
let mqtt: MqttClient;
let prefix: string;
beforeAll(async () => {
  if (!existsSync(BUILT)) throw new Error('dist/ is not there: run npm run build');
  const { host, port, username, password } = testServers().mqtt;
  mqtt = await connectAsync(`mqtt://${host}:${String(port)}`, { username, password });
});
afterAll(() => mqtt.endAsync());
beforeEach(async () => {
  prefix = `reconcile-${randomUUID()}`;
  [database, temporal] = await Promise.all([createTestDatabase(), createTestNamespace()]);
  await addFeeder(database.db, 'north');
  await addEv(database.db, 'ev-1', 'north');
  await imposeQuarantine(database.db, {
    ...{ by: 'restore by ann', reason: 'restored from backup b-1', restoredFrom: 'b-1' },
    dataAsOf: new Date(Date.now() - HOUR_MS).toISOString(),
  });
}, 30_000);
afterEach(async () => {
  await temporal.close();
  await database.drop();
});

function start(argv: string[], env: Record<string, string> = {}) {
  const { postgres, mqtt: broker } = testServers();
  return spawn(process.execPath, [BUILT, ...argv, '--json'], {
    cwd: tmpdir(),
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      ...{ DB_HOST: postgres.host, DB_PORT: String(postgres.port), DB_NAME: database.name },
      ...{ DB_USER: postgres.user, DB_PASSWORD: postgres.password },
      ...{ TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: temporal.namespace },
      ...{ MQTT_HOST: broker.host, MQTT_PORT: String(broker.port), MQTT_TOPIC_PREFIX: prefix },
      ...{ MQTT_USERNAME: broker.username, MQTT_PASSWORD: broker.password },
      ...env,
    },
  });
}

/** Ends the program by SIGKILL as soon as it has got so far. */
async function killed(argv: string[], isThere: () => Promise<boolean>): Promise<void> {
  const child = start(argv);
  child.stdout.resume();
  child.stderr.resume();
  await eventually(async () => expect(await isThere()).toBe(true), 20_000, 1);
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
  expect(child.signalCode).toBe('SIGKILL');
}

async function reconcile(argv: string[], env: Record<string, string> = {}) {
  const child = start(argv, env);

  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number];
  const report = (out === '' ? {} : JSON.parse(out)) as { findings?: Finding[] };
  const findings = (report.findings ?? []).filter(({ subject }) => subject !== 'storage' || 'BACKUP_STORAGE' in env);
  return { code, err, found: findings.map(({ outcome, kind, subject }) => `${outcome} ${kind} ${subject}`), findings };
}

/** Accepts a dispatch as the API does. */
async function accept(dispatchId: string, startsInMs = HOUR_MS) {
  const now = Date.now();
  const decided = await decideDispatch(database.db, {
    dispatchId,
    request: {
      ...{ feederId: 'north', importLimitKw: 60, exportLimitKw: null, targetKw: null, primacy: 1, reason: 'heat wave' },
      ...{ startsAtMs: now + startsInMs, endsAtMs: now + startsInMs + HOUR_MS, expiresAtMs: null },
      ...{ randomizeStartSeconds: 0 },
    },
    ...{ startDelayMs: 0, digest: 'digest-1', validateOnly: false, actor: ANNA },
  });
  if (decided.outcome === 'refused') throw new Error(decided.message);
  const { dispatch, supersedes, warnings } = decided;
  return { dispatch, supersedes, warnings, digest: 'digest-1' };
}

/** As a restore does that is older; the application itself may not. */
const forget = async (dispatchId: string) => {
  const { host, port, adminUser: user, adminPassword: password } = testServers().postgres;
  await withClient({ host, port, user, password, database: database.name }, 'test', async (client) => {
    await client.query('delete from dispatch_history where dispatch_id = $1', [dispatchId]);
    await client.query('delete from dispatches where dispatch_id = $1', [dispatchId]);
  });
};
const rowOf = async (dispatchId: string) =>
  (
    await database.db.query<{ row: Record<string, unknown> }>(
      'select to_jsonb(d) as row from dispatches d where dispatch_id = $1',
      [dispatchId],
    )
  ).rows[0]?.row;
const statesOf = async (dispatchId: string) =>
  (
    await database.db.query<{ state: string; actor: string }>(
      'select state, actor from dispatch_history where dispatch_id = $1 order by revision',
      [dispatchId],
    )
  ).rows.map(({ state, actor }) => `${state} by ${actor}`);
const visible = (count: number) =>
  eventually(async () => {
    expect((await temporal.client.workflow.count()).count).toBe(count);
  });
const lift = () => liftQuarantine(database.db, { reason: 'compared', force: false, actor: ANNA });

describe('npm run reconcile', () => {
  it('makes dispatches and runs again that only Temporal knows, ends loops, and clears setpoints of unknown devices', async () => {
    const starter = createWorkflowStarter(temporal.client);
    const [known, runId] = [randomUUID(), randomUUID()];
    const accepted = await accept(known);
    const before = await rowOf(known);
    await forget(known);
    await starter.startDispatch(known, 'north', 'north: import ≤ 60 kW', { ...accepted });
    await starter.startControlLoop('north');
    const workflowId = jobWorkflowId('db-backup', runId);
    await temporal.client.workflow.start('job', {
      ...{ workflowId, taskQueue: 'jobs', args: [{ jobName: 'db-backup', runId, input: { why: 'a try' } }] },
    });
    await temporal.client.workflow.getHandle(workflowId).terminate('the night');
    const newer = JSON.stringify({
      ...{ v: 1, messageType: 'setpoint', messageId: 'm-1', timestampMs: Date.now() },
      payload: { command: { targetPowerKw: 3, mode: 'import', validUntilMs: Date.now() } },
    });
    for (const device of ['ev/ev-1', 'ev/gone'])
      await mqtt.publishAsync(`${prefix}/setpoints/${device}`, newer, { qos: 1, retain: true });
    await visible(3);

    const looked = await reconcile([]);
    expect(looked.found).toEqual([
      `would dispatch-unknown ${known}`,
      `would run-unknown ${workflowId}`,
      'would control-loop control-loop/north',
      `would setpoint-of-unknown-device ${prefix}/setpoints/ev/gone`,
      'noted setpoints-newer setpoints',
    ]);
    expect(looked.code).toBe(3);
    expect(await rowOf(known)).toBeUndefined();
    await expect(lift()).rejects.toMatchObject({ code: 'RECONCILIATION_MISSING' });

    const done = await reconcile(['--apply']);
    expect([done.code, done.found]).toEqual([0, looked.found.map((line) => line.replace('would', 'done'))]);
    expect(await rowOf(known)).toEqual(before);
    expect(await statesOf(known)).toEqual(['scheduled by reconcile']);
    const runs = await database.db.query('select run_id, job_name, origin, state, input, slot from job_runs');
    expect(runs.rows).toEqual([
      { run_id: runId, job_name: 'db-backup', origin: 'api', state: 'terminated', input: { why: 'a try' }, slot: null },
    ]);
    const loop = await temporal.client.workflow.getHandle('control-loop/north').describe();
    expect(loop.status.name).toBe('TERMINATED');
    expect(await readReconciliation(database.db)).toMatchObject({ applied: true, open: 0 });

    await eventually(async () => {
      expect((await reconcile(['--apply'])).found).toEqual(['noted setpoints-newer setpoints']);
    });
    await lift();
  }, 60_000);

  it('leaves to a person a dispatch of which Temporal has only a summary', async () => {
    const dispatchId = randomUUID();
    await createWorkflowStarter(temporal.client).startDispatch(
      dispatchId,
      'north',
      'north: import ≤ 60 kW, asked by anna',
    );
    await visible(1);
    const { code, found, findings } = await reconcile(['--apply']);
    expect([code, found]).toEqual([3, [`open dispatch-unknown ${dispatchId}`]]);
    expect(findings[0]?.detail).toContain('north: import ≤ 60 kW, asked by anna');
    await expect(lift()).rejects.toMatchObject({ code: 'RECONCILIATION_MISSING' });
  }, 30_000);

  it('pitfall: ends a dispatch that was cancelled after the backup, and one whose window is over', async () => {
    const [cancelled, past] = [randomUUID(), randomUUID()];
    await accept(cancelled);
    await accept(past, 5 * HOUR_MS);
    await database.db.query(
      `update dispatches set starts_at = now() - interval '2 hours', begins_at = now() - interval '2 hours',
              ends_at = now() - interval '1 hour' where dispatch_id = $1`,
      [past],
    );
    await createWorkflowStarter(temporal.client).startDispatch(cancelled, 'north');
    await completeAs('cancelled');
    await eventually(async () => {
      expect((await temporal.client.workflow.count(`ExecutionStatus = 'Completed'`)).count).toBe(1);
    });
    const { code, found } = await reconcile(['--apply']);
    expect([code, found]).toEqual([0, [`done dispatch-ended ${cancelled}`, `done dispatch-past ${past}`]]);
    expect(await statesOf(cancelled)).toEqual(['scheduled by anna', 'cancelled by reconcile']);
    expect(await statesOf(past)).toEqual(['scheduled by anna', 'expired by reconcile']);
  }, 30_000);

  it.each([
    ['Temporal', { TEMPORAL_ADDRESS: '127.0.0.1:1' }],
    ['the broker', { MQTT_PORT: '1' }],
  ])(
    'says that it could not compare with %s',
    async (who, env) => {
      const { code, found } = await reconcile(['--apply'], env);
      expect([code, found]).toEqual([3, [`open not-compared ${who}`]]);
      expect(await readReconciliation(database.db)).toMatchObject({ applied: true, open: 1 });
    },
    30_000,
  );

  it("says that it could not compare with the storage of backups: one that is not the restore's leaves it open", async () => {
    const env = { BACKUP_STORAGE: 'file:///nonexistent/backups', BACKUP_ENCRYPTION_KEYS: newKeyEntry('k1') };
    const { code, found, findings } = await reconcile(['--apply'], env);
    expect([code, found]).toEqual([3, ['open not-compared storage']]);
    expect(findings[0]?.detail).toContain('does not hold backup b-1');
  }, 30_000);

  it.each([
    ['a dispatch', 1],
    ['everything', 2],
  ])(
    'goes on where it was killed, after %s',
    async (_what, atLeast) => {
      const starter = createWorkflowStarter(temporal.client);
      const dispatches = Array.from({ length: 3 }, () => randomUUID());
      for (const dispatchId of dispatches) {
        const accepted = await accept(dispatchId);
        await forget(dispatchId);
        await starter.startDispatch(dispatchId, 'north', 'north: import ≤ 60 kW', { ...accepted });
      }
      await visible(3);
      await killed(['--apply'], async () => {
        const { rows } = await database.db.query('select 1 from dispatches');
        return rows.length >= atLeast;
      });
      expect(await readReconciliation(database.db)).toBeNull();
      await expect(lift()).rejects.toMatchObject({ code: 'RECONCILIATION_MISSING' });
      expect((await reconcile(['--apply'])).code).toBe(0);
      for (const dispatchId of dispatches) expect(await statesOf(dispatchId)).toEqual(['scheduled by reconcile']);
      await lift();
    },
    60_000,
  );

  it('refuses a database that is not quarantined, and an option that it does not have', async () => {
    expect((await reconcile(['--aply'])).code).toBe(2);
    await liftQuarantine(database.db, { reason: 'a test', force: true, actor: ANNA });
    const { code, err } = await reconcile(['--apply']);
    expect([code, err]).toEqual([1, expect.stringContaining('not quarantined')]);
  });
});

/** Answers the one workflow task that waits, as the workflow `dispatch` does at its end. */
async function completeAs(state: string): Promise<void> {
  const { namespace, client } = temporal;
  const { taskToken } = await client.withDeadline(Date.now() + 10_000, () =>
    client.workflowService.pollWorkflowTaskQueue({
      ...{ namespace, taskQueue: { name: 'control' }, identity: 'test' },
    }),
  );
  const data = Buffer.from(JSON.stringify({ state, nextAtMs: null }));
  const payload = { metadata: { encoding: Buffer.from('json/plain') }, data };
  await client.workflowService.respondWorkflowTaskCompleted({
    ...{ namespace, taskToken, identity: 'test' },
    commands: [
      {
        commandType: protocol.api.enums.v1.CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
        completeWorkflowExecutionCommandAttributes: { result: { payloads: [payload] } },
      },
    ],
  });
}
