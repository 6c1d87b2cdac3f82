import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { BackedUpBroker } from '../../../backups/mqtt/backup-ports';
import type { BrokerStore } from '../../../backups/mqtt/broker-store';
import { copyStore } from '../../../backups/mqtt/copy-store';
import { listBackups, readBackupTimes, type BackupRecord } from '../../../db/backups';
import type { Database } from '../../../db/pool';
import { job as backupVerify } from '../../../jobs/backup-verify';
import { job } from '../../../jobs/mqtt-backup';
import type { JobPorts } from '../../../jobs/runner/ports';
import { readToolchain } from '../../../local/toolchain';
import { createDirectoryStorage } from '../../../storage/directory';
import { newKeyEntry, parseKeyRing } from '../../../storage/encryption/key-ring';
import { jobWorkflowId } from '../../../workflows/messages';
import { backupCatalogue } from '../../../db/backup-catalogue';
import { createJobWorld, type JobWorld } from '../../support/job-world';
import { quietRuntime, workflowBundle } from '../../support/runtime';
import { furnish, startFurnishedBroker, type FurnishedBroker } from '../backups/mqtt/furnished-broker';

const folder = mkdtempSync(join(tmpdir(), 'derms-test-mqtt-backup-'));
chmodSync(folder, 0o711);
const keyRing = parseKeyRing(newKeyEntry('test'));
let bundle: WorkflowBundleWithSourceMap;
let broker: FurnishedBroker;

beforeAll(async () => {
  quietRuntime();
  bundle = await workflowBundle();
  broker = await startFurnishedBroker();
  const { stay } = await furnish(broker, 1_000);
  await stay.endAsync();
});
afterAll(async () => {
  await broker.remove();
  rmSync(folder, { recursive: true });
});

interface Ended {
  readonly state: string;
  readonly result: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- what a test looks into
  readonly failure: { code: string; message: string } | null;
  readonly evidence: { kind: string; data: unknown }[];
}

interface Night extends Ended {
  readonly objects: string[];
  readonly backups: readonly BackupRecord[];
  /** What `backup-verify` said afterwards. */
  readonly verified: Ended | null;
}

/** One run of the job over the given stores; with `meanwhile`, a look at what it left by `backup-verify`. */
async function run(
  stores: readonly BrokerStore[] | string,
  meanwhile?: (objects: string, db: Database) => void | Promise<void>,
): Promise<Night> {
  const root = join(folder, randomUUID());
  const storage = createDirectoryStorage(root);
  const brokers = (given: readonly BrokerStore[]): BackedUpBroker[] =>
    given.map((store) => ({
      name: store.name,
      copyStore: (runId, options) => copyStore({ store, storage, keyRing }, runId, options),
    }));
  // Rows of runs and of backups are in one database.
  const vault = () => ({ storage, keyRing, catalogue: backupCatalogue(world.database.db) });
  const ports = {
    now: () => new Date(),
    get databaseBackup() {
      return vault();
    },
    get mqttBackup() {
      if (typeof stores === 'string') return stores;
      const rule = { keepMs: 14 * 86_400_000, leastDaily: 0, leastWeekly: 0, leastNewest: 1 };
      const { mosquitto } = readToolchain();
      return { ...vault(), brokers: brokers(stores), deployment: 'development', rule, mosquitto, scratchRoot: folder };
    },
  };
  const world: JobWorld = await createJobWorld(bundle, ports as unknown as JobPorts); // the jobs ask for nothing else
  try {
    const night = await runOf(world, 'mqtt-backup');
    await meanwhile?.(root, world.database.db);
    const verified = meanwhile === undefined ? null : await runOf(world, 'backup-verify');
    const objects: string[] = [];
    for await (const { key } of storage.list('')) objects.push(key);
    const page = { kind: null, state: null, before: null, limit: 10 } as const;
    return { ...night, objects, backups: await listBackups(world.database.db, page), verified };
  } finally {
    await world.close();
  }
}

async function runOf(world: JobWorld, jobName: 'mqtt-backup' | 'backup-verify'): Promise<Ended> {
  const runId = randomUUID();
  const quick = { ...job, steps: job.steps.map((step) => ({ ...step, pauseSeconds: 0.1 })) };
  await world.withWorker([quick, backupVerify], async () => {
    const handle = await world.temporal.client.workflow.start('job', {
      taskQueue: 'jobs',
      workflowId: jobWorkflowId(jobName, runId),
      args: [{ jobName, runId, input: {} }],
    });
    await handle.result().catch(() => undefined);
  });
  const { state, result, failure } = (await world.row(runId))!;
  const { rows: evidence } = await world.database.db.query<{ kind: string; data: unknown }>(
    'select kind, data from job_evidence where run_id = $1',
    [runId],
  );
  return { state, result, failure, evidence };
}

const faulty = (name: string, content: () => Buffer): BrokerStore => ({
  name,
  description: 'bytes of a test',
  save: async () => ({ bytes: content().length, savedAtMs: Date.now(), version: '1' }),
  read: async function* () {
    yield content();
  },
});

describe('the backup of brokers', () => {
  it('leaves a proven copy with its manifest, and its evidence with the run', async () => {
    const { state, result, evidence, objects } = await run([broker.store]);
    expect(state).toBe('succeeded');
    const [backedUp] = result.brokers;
    expect(backedUp).toMatchObject({
      broker: 'local',
      copy: { counts: { retained: 1_001, sessions: 5, queued: 200 }, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      proof: { retained: 1_001, sessions: 5, resumed: 5, delivered: 200 },
      retention: { kept: 1, removed: [], swept: [], locked: [] },
    });
    expect(backedUp.copy.seconds).toEqual({ save: expect.any(Number), copy: expect.any(Number) });
    expect(backedUp.proof.seconds).toEqual({
      fetch: expect.any(Number),
      boot: expect.any(Number),
      ask: expect.any(Number),
    });
    const { key } = backedUp.copy;
    expect(evidence).toMatchObject([
      { kind: 'backup-verification', data: { key, verdict: 'passed' } },
      { kind: 'mqtt-backup', data: { kind: 'mqtt', object: { key }, proof: { retained: 1_001, resumed: 5 } } },
    ]);
    expect(objects).toEqual([backedUp.copy.key, `${backedUp.copy.key}.manifest.json`]);
  });

  it('are listed as verified like every other backup, with the time of the save, and show in its metrics', async () => {
    const { result, backups } = await run([broker.store], async (_objects, db) => {
      const { times } = await readBackupTimes(db);
      expect(times.find(({ kind }) => kind === 'mqtt')?.lastVerified).toBeGreaterThan(Date.now() / 1000 - 60);
    });
    const [{ copy, backupId }] = result.brokers;
    expect(backups).toMatchObject([
      {
        backupId,
        kind: 'mqtt',
        key: copy.key,
        state: 'verified',
        storedBytes: copy.storedBytes,
        lastVerdict: 'passed',
      },
    ]);
    expect(Date.parse(backups[0]!.takenAt)).toBe(copy.savedAtMs);
  });

  it('are looked at again: a broker is started on them once more', async () => {
    const { verified, result } = await run([broker.store], () => undefined);
    const [{ backupId }] = result.brokers;
    expect(verified).toMatchObject({ state: 'succeeded', result: { looked: [{ backupId, verdict: 'passed' }] } });
  });

  it('are damaged from the look on that finds them changed in storage', async () => {
    const { verified, backups } = await run([broker.store], async (objects, db) => {
      const [copy] = await listBackups(db, { kind: 'mqtt', state: null, before: null, limit: 1 });
      const path = join(objects, copy!.key);
      const bytes = readFileSync(path);
      bytes[bytes.length - 100]! ^= 1;
      writeFileSync(path, bytes);
    });
    expect(verified).toMatchObject({ state: 'failed', failure: { code: 'BACKUP_VERIFICATION_FAILED' } });
    expect(backups).toMatchObject([{ state: 'damaged', proofCheckId: null }]);
  });

  it('that a restored database has forgotten have a row again, and are proven again', async () => {
    const { verified, backups, result } = await run([broker.store], async (_objects, db) => {
      await db.query('delete from backup_checks');
      await db.query('delete from backups');
    });
    const [{ backupId, copy }] = result.brokers;
    expect(verified!.result.stock).toMatchObject([
      { kind: 'dump', adopted: [] },
      { kind: 'base', adopted: [] },
      { kind: 'mqtt', adopted: [copy.key], untrusted: [] },
    ]);
    expect(backups).toMatchObject([{ backupId, state: 'verified' }]);
  });

  it.each([
    ['of 0 bytes', () => Buffer.alloc(0), /empty/],
    ['that is cut', () => readFileSync(broker.process.storeFile).subarray(0, 5_000), /cut short/],
    ['of zero bytes', () => Buffer.alloc(5_000), /zero bytes/],
  ])('fails with a store %s, and leaves nothing that looks like a backup', async (_what, content, message) => {
    const { state, failure, objects } = await run([faulty('local', content)]);
    expect(state).toBe('failed');
    expect(failure).toEqual({ code: 'BROKER_STORE_FAULTY', message: expect.stringMatching(message) });
    expect(objects).toEqual([]);
  });

  it('fails for a broker that is not backed up, and still backs up the others', async () => {
    const { state, failure, objects } = await run([faulty('north', () => Buffer.alloc(0)), broker.store]);
    expect(state).toBe('failed');
    expect(failure!.message).toMatch(/^broker north: .*empty.* \(1 other broker is backed up\)$/);
    expect(objects).toHaveLength(2);
  });

  it('is skipped, and says why, where the deployment has no place for copies', async () => {
    const { state, failure } = await run('BACKUP_STORAGE is not set');
    expect([state, failure?.message]).toEqual(['skipped', 'BACKUP_STORAGE is not set']);
  });
});
