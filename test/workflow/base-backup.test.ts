import { randomUUID } from 'node:crypto';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { walKey } from '../../backups/wal/archive-key';
import type { JobDeclaration } from '../../jobs/runner/declaration';
import { job as backupRetention } from '../../jobs/backup-retention';
import { job as backupVerify } from '../../jobs/backup-verify';
import { job as baseBackup } from '../../jobs/base-backup';
import type { JobPorts } from '../../jobs/runner/ports';
import { listBackups, readBackupTimes } from '../../db/backups';
import { backupCatalogue } from '../../db/backup-catalogue';
import { createBaseWorld, type BaseWorld } from '../support/base-world';
import { createJobWorld, type JobWorld } from '../support/job-world';
import { quietRuntime, workflowBundle } from '../support/runtime';
import { testServers } from '../support/servers';

quietRuntime();
jest.setTimeout(180_000);

let bundle: WorkflowBundleWithSourceMap;
let base: BaseWorld;
let world: JobWorld;

beforeAll(async () => {
  bundle = await workflowBundle();
  base = await createBaseWorld();
  world = await createJobWorld(bundle, portsOf());
});
afterAll(async () => {
  await world.close();
  await base.close();
});

/** The cluster that is backed up is one of its own; rows of runs and of backups are in the database of the tests. */
function portsOf(more: object = {}): JobPorts {
  const dump = { keepMs: 0, leastDaily: 7, leastWeekly: 4, leastNewest: 1 };
  return {
    now: () => new Date(),
    databaseBackup: {
      ...base.ports,
      deployment: 'development',
      get catalogue() {
        return backupCatalogue(world.database.db);
      },
      rules: { dump, base: { keepMs: 0, leastDaily: 0, leastWeekly: 0, leastNewest: 2 } },
      ...more,
    },
  } as unknown as JobPorts; // these jobs ask for nothing else
}

interface Ended {
  readonly state: string;
  readonly runId: string;
  readonly result: unknown;
}

const run = (job: JobDeclaration, input: object = {}, where = world): Promise<Ended> => {
  const runId = randomUUID();
  return where.withWorker([job], () =>
    where.temporal.client.workflow.execute('job', {
      taskQueue: 'jobs',
      workflowId: `job/${job.name}/${runId}`,
      args: [{ jobName: job.name, runId, input }],
    }),
  );
};
const listed = () => listBackups(world.database.db, { kind: 'base', state: null, before: null, limit: 10 });

describe('base-backup', () => {
  it('is skipped while the log is not archived, and says how that is turned on', async () => {
    const { host, port, adminUser: user, adminPassword: password } = testServers().postgres;
    const access = { host, port, user, password, database: 'postgres' };
    const off = await createJobWorld(bundle, portsOf({ access }));
    const { state, runId } = await run(baseBackup, {}, off);
    expect(state).toBe('skipped');
    expect((await off.row(runId))?.failure).toMatchObject({
      message: expect.stringMatching(/^WAL archiving is off: .+ Set archive_mode = on .+ docs\/wal-archiving\.md/),
      exception: 'archiving-off', // and nothing is promised
    });
    await off.close();
  });

  it('copies the cluster, proves the copy, puts it on record, and sweeps what a run of long ago never proved', async () => {
    const half = base.order().key;
    await base.postgres.place.write(half, Buffer.from('never proven'));
    base.postgres.place.age(half, new Date(Date.now() - 8 * 86_400_000).toISOString());
    const { state, result, runId } = await run(baseBackup);
    expect(state).toBe('succeeded');
    const [backup] = await listed();
    expect(backup).toMatchObject({ kind: 'base', state: 'verified', runId, lastVerdict: 'passed' });
    expect(result).toMatchObject({
      backupId: backup?.backupId,
      checkId: backup?.proofCheckId,
      startWalFile: expect.stringMatching(/^0000000100000000/),
      retention: {
        base: { kept: 1, removed: [], swept: [{ key: half, because: { backupId: backup?.backupId } }] },
        wal: { heldBackBy: null },
      },
    });
    const { times } = await readBackupTimes(world.database.db);
    const moved = times.find(({ kind }) => kind === 'base');
    expect(moved).toMatchObject({
      lastSuccess: Date.parse(backup!.takenAt) / 1000,
      lastVerified: Date.parse(backup!.takenAt) / 1000,
    });
  });

  it('lets old ones go, and their log back to the oldest that is kept and no further, each by a proof', async () => {
    const [oldest] = await listed();
    await base.postgres.switchSegment();
    const second = (await run(baseBackup)).result as { startWalFile: string; backupId: string; checkId: number };
    await base.postgres.switchSegment();
    const first = (await base.postgres.archivedNames())[0]!; // all before the segment are archived by now
    const third = (await run(baseBackup)).result as { backupId: string; checkId: number; retention: object };
    expect(third.retention).toMatchObject({
      base: { kept: 2, removed: [{ backupId: oldest!.backupId, because: { backupId: third.backupId } }] },
      wal: {
        heldBackBy: null,
        clusters: [
          {
            neededFrom: second.startWalFile,
            range: [first, expect.any(String)],
            because: { backupId: second.backupId, checkId: second.checkId },
          },
        ],
      },
    });
    const left = (await base.postgres.archivedNames()).filter((name) => /^[0-9A-F]{24}$/.test(name));
    expect(left[0]).toBe(second.startWalFile);
    const dry = (await run(backupRetention, { dryRun: true })).result;
    expect(dry).toMatchObject({ base: { removed: [] }, wal: { clusters: [{ removed: 0, range: null }] } });
  });

  it('is looked at again by backup-verify, which finds a gap in the log that comes after it', async () => {
    const { result } = await run(backupVerify, { most: 5 });
    expect(result).toMatchObject({ looked: [{ verdict: 'passed' }, { verdict: 'passed' }], archive: { gaps: [] } });
    const lost = await base.postgres.switchSegment();
    await base.postgres.switchSegment();
    const { storage, systemId } = await base.postgres.archive();
    await storage.remove(walKey(systemId, lost));
    const runId = randomUUID();
    const ended = world.withWorker([backupVerify], () =>
      world.temporal.client.workflow.execute('job', {
        taskQueue: 'jobs',
        workflowId: `job/backup-verify/${runId}`,
        args: [{ jobName: 'backup-verify', runId, input: {} }],
      }),
    );
    await expect(ended).rejects.toThrow();
    expect((await world.row(runId))?.failure).toMatchObject({
      code: 'WAL_ARCHIVE_GAP',
      message: expect.stringContaining(lost),
    });
  });

  it('keeps everything while its newest attempt has failed', async () => {
    const before = await base.postgres.archivedNames();
    await world.database.db.query(
      `update job_runs set state = 'failed', requested_at = now() where run_id = (select run_id from job_runs where job_name = 'base-backup' order by requested_at desc limit 1)`,
    );
    expect((await run(backupRetention, { dryRun: false })).result).toMatchObject({
      wal: { clusters: [], heldBackBy: 'a run of base-backup after the newest has failed' },
    });
    expect(await base.postgres.archivedNames()).toEqual(before);
  });
});
