import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { DumpManifest } from '../../../backups/manifest-schema';
import { loadSettings } from '../../../config/load';
import { job } from '../../../jobs/restore-drill';
import type { JobPorts } from '../../../jobs/runner/ports';
import { startTimeOf } from '../../../servers/process-tree';
import { type restoreDrillPort } from '../../../worker/restore-drill-port';
import { jobWorkflowId } from '../../../workflows/messages';
import { createJobWorld } from '../../support/job-world';
import { makeBackup } from '../../support/own-backup';
import { createRestoreWorld, type RestoreWorld } from '../../support/restore-world';
import { quietRuntime, workflowBundle } from '../../support/runtime';
import { eventually, testServers } from '../../support/servers';

// The drill boots the compiled API.
const BUILT = join(__dirname, '../../../dist');
const PORT = existsSync(BUILT) ? join(BUILT, 'worker/restore-drill-port') : '';

let bundle: WorkflowBundleWithSourceMap;
let world: RestoreWorld;
let backup: DumpManifest;
beforeAll(async () => {
  if (PORT === '') throw new Error('dist/ is not there: run npm run build');
  quietRuntime();
  [bundle, world] = await Promise.all([workflowBundle(), createRestoreWorld()]);
  backup = await makeBackup(world.source, world);
}, 90_000);
afterAll(() => world.close());

const scratch = (): string => join(world.folder, 'scratch');
const environment = (): Record<string, string> => {
  const { host, port, user, password } = testServers().postgres;
  const { postgres, zstd } = world.programs;
  return {
    ...{ DB_HOST: host, DB_PORT: String(port), DB_NAME: world.database.name, DB_USER: user, DB_PASSWORD: password },
    ...{ POSTGRES_BIN_DIR: postgres.bin, ZSTD_PATH: zstd.path, RESTORE_SCRATCH_DIR: scratch() },
    BACKUP_STORAGE: pathToFileURL(join(world.folder, 'backups')).href,
    BACKUP_ENCRYPTION_KEYS: world.keys,
  };
};

/** One run of the job; the port is the compiled one, since it starts the API beside it. */
async function run(given: Record<string, string> = {}, { vault = true } = {}) {
  const { restoreDrillPort: compiled } = jest.requireActual<{ restoreDrillPort: typeof restoreDrillPort }>(PORT);
  const settings = loadSettings({ ...environment(), ...given }, '/nonexistent');
  const kept = vault ? { storage: world.storage, keyRing: world.keyRing } : null;
  const ports = { now: () => new Date(), restoreDrill: compiled(settings, kept, world.database.db) };
  const jobs = await createJobWorld(bundle, ports as JobPorts); // the job asks for nothing else
  try {
    const runId = randomUUID();
    await jobs.withWorker([job], async () => {
      const handle = await jobs.temporal.client.workflow.start('job', {
        taskQueue: 'jobs',
        workflowId: jobWorkflowId('restore-drill', runId),
        args: [{ jobName: 'restore-drill', runId, input: {} }],
      });
      await handle.result().catch(() => undefined);
    });
    const { state, failure } = (await jobs.row(runId))!;
    const { rows } = await jobs.database.db.query<{ kind: string; data: Record<string, unknown> }>(
      'select kind, data from job_evidence where run_id = $1',
      [runId],
    );
    return { state, failure, evidence: rows };
  } finally {
    await jobs.close();
  }
}

const backupState = async (): Promise<string | undefined> =>
  (
    await world.database.db.query<{ state: string }>('select state from backups where backup_id = $1', [
      backup.backupId,
    ])
  ).rows[0]?.state;

describe('the restore drill', () => {
  it('leaves its evidence with the run, and the backup is restored from then on', async () => {
    const { state, failure, evidence } = await run();
    expect([state, failure]).toEqual(['succeeded', null]);
    expect(evidence).toMatchObject([
      {
        kind: 'restore-drill',
        data: {
          backupId: backup.backupId,
          target: 'scratch',
          application: { feeders: 1, devices: 3, dispatches: 0 },
          missed: [],
          failure: null,
        },
      },
    ]);
    expect(await backupState()).toBe('restored');
    expect(readdirSync(scratch())).toEqual([]);
  }, 90_000);

  it('is red when it took longer than promised, which says nothing against the backup', async () => {
    const { state, failure } = await run({ RESTORE_RTO_TARGET_SECONDS: '1' });
    expect([state, failure?.code]).toEqual(['failed', 'RESTORE_TARGET_MISSED']);
    expect(failure?.message).toMatch(/^restoring took \d+ s, promised are 1 s$/);
    expect(await backupState()).toBe('restored');
  }, 90_000);

  it('is skipped, and says why, where nothing is configured', async () => {
    expect(await run({}, { vault: false })).toMatchObject({
      state: 'skipped',
      failure: { message: 'BACKUP_STORAGE or BACKUP_ENCRYPTION_KEYS is not set: there is no backup to restore' },
    });
  }, 60_000);

  it('leaves nothing behind when its process is killed and the next drill has run', async () => {
    const script = `
      const { restoreDrillPort } = require(${JSON.stringify(PORT)});
      const { loadSettings } = require(${JSON.stringify(join(BUILT, 'config/load'))});
      const { openBackupVault } = require(${JSON.stringify(join(BUILT, 'backups/vault'))});
      const { openDatabase } = require(${JSON.stringify(join(BUILT, 'db/pool'))});
      const settings = loadSettings(process.env, '/nonexistent');
      const db = openDatabase({ host: settings.DB_HOST, port: settings.DB_PORT, database: settings.DB_NAME, user: settings.DB_USER,
        password: settings.DB_PASSWORD, poolSize: 2, connectTimeoutMs: 5000, queryTimeoutMs: 5000, applicationName: 'test' }, console);
      openBackupVault(settings).then(async (vault) => {
        const port = restoreDrillPort(settings, vault, db);
        const backup = await port.choose('latest');
        await port.run({ backup, runId: ${JSON.stringify(randomUUID())}, signal: new AbortController().signal,
          onStep: (name) => console.log(name), onProgress: () => undefined, onLeftBehind: console.error }, {});
      });`;
    const owner = spawn(process.execPath, ['-e', script.replace('}, {});', '}, { steps: [] });')], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env['PATH'], ...environment() },
    });
    let said = '';
    owner.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    // Both are there by then: its PostgreSQL and the API on it.
    const processes = await eventually(
      () => {
        expect(said).toContain('application');
        const found = recorded();
        expect(found.map(({ name }) => name).sort()).toEqual(['PostgreSQL', 'the API on the restored database']);
        return found;
      },
      30_000,
      10,
    );
    const gone = once(owner, 'exit');
    owner.kill('SIGKILL');
    await gone;
    expect(readdirSync(scratch())).toHaveLength(2);

    expect((await run()).state).toBe('succeeded');
    expect(readdirSync(scratch())).toEqual([]);
    expect(processes.map(({ pid }) => startTimeOf(pid))).toEqual([undefined, undefined]);
  }, 120_000);
});

/** What drills that go on have written down of themselves. */
function recorded(): { name: string; pid: number }[] {
  return readdirSync(scratch()).flatMap((folder) => {
    const file = join(scratch(), folder, 'run.json');
    return existsSync(file)
      ? (JSON.parse(readFileSync(file, 'utf8')) as { processes: { name: string; pid: number }[] }).processes
      : [];
  });
}
