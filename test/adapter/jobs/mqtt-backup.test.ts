import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { BackedUpBroker } from '../../../backups/mqtt/backup-ports';
import type { BrokerStore } from '../../../backups/mqtt/broker-store';
import { copyStore } from '../../../backups/mqtt/copy-store';
import { job } from '../../../jobs/mqtt-backup';
import type { JobPorts } from '../../../jobs/runner/ports';
import { readToolchain } from '../../../local/toolchain';
import { createDirectoryStorage } from '../../../storage/directory';
import { newKeyEntry, parseKeyRing } from '../../../storage/encryption/key-ring';
import { jobWorkflowId } from '../../../workflows/messages';
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
  readonly objects: string[];
}

/** One run of the job over the given stores. */
async function run(stores: readonly BrokerStore[] | string): Promise<Ended> {
  const storage = createDirectoryStorage(join(folder, randomUUID()));
  const brokers = (given: readonly BrokerStore[]): BackedUpBroker[] =>
    given.map((store) => ({
      name: store.name,
      copyStore: (runId, options) => copyStore({ store, storage, keyRing }, runId, options),
    }));
  const ports: Pick<JobPorts, 'now' | 'mqttBackup'> = {
    now: () => new Date(),
    mqttBackup:
      typeof stores === 'string'
        ? stores
        : {
            storage,
            keyRing,
            brokers: brokers(stores),
            keepDays: 14,
            mosquitto: readToolchain().mosquitto,
            scratchRoot: folder,
          },
  };
  const world: JobWorld = await createJobWorld(bundle, ports as JobPorts); // the job asks for nothing else
  try {
    const runId = randomUUID();
    const quick = { ...job, steps: job.steps.map((step) => ({ ...step, pauseSeconds: 0.1 })) };
    await world.withWorker([quick], async () => {
      const handle = await world.temporal.client.workflow.start('job', {
        taskQueue: 'jobs',
        workflowId: jobWorkflowId('mqtt-backup', runId),
        args: [{ jobName: 'mqtt-backup', runId, input: {} }],
      });
      await handle.result().catch(() => undefined);
    });
    const { state, result, failure } = (await world.row(runId))!;
    const { rows } = await world.database.db.query<{ kind: string; data: unknown }>(
      'select kind, data from job_evidence where run_id = $1',
      [runId],
    );
    const objects: string[] = [];
    for await (const { key } of storage.list('')) objects.push(key);
    return { state, result, failure, evidence: rows, objects };
  } finally {
    await world.close();
  }
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
      retention: { kept: 1, removed: [], locked: [] },
    });
    expect(backedUp.copy.seconds).toEqual({ save: expect.any(Number), copy: expect.any(Number) });
    expect(backedUp.proof.seconds).toEqual({
      fetch: expect.any(Number),
      boot: expect.any(Number),
      ask: expect.any(Number),
    });
    expect(evidence).toMatchObject([{ kind: 'mqtt-backup', data: { copy: { key: backedUp.copy.key } } }]);
    expect(objects).toEqual([backedUp.copy.key, `${backedUp.copy.key}.manifest.json`]);
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
