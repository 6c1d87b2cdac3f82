import { randomUUID } from 'node:crypto';
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { registerBackupMetrics } from '../../api/health/backup-metrics';
import { BACKUP_KINDS, listBackups, readBackup, readBackupTimes } from '../../db/backups';
import { job as dbBackup } from '../../jobs/db-backup';
import { imposeQuarantine } from '../../db/quarantine';
import { job as backupRetention } from '../../jobs/backup-retention';
import { job as backupVerify } from '../../jobs/backup-verify';
import type { JobPorts } from '../../jobs/runner/ports';
import { Registry } from '../../observability/metrics';
import { backupCatalogue } from '../../db/backup-catalogue';
import { createDumpWorld, type DumpWorld } from '../adapter/backups/postgres/dump-world';
import { createJobWorld, type JobWorld } from '../support/job-world';
import { quietRuntime, workflowBundle } from '../support/runtime';

quietRuntime();
jest.setTimeout(120_000);

const DAY_MS = 86_400_000;
let bundle: WorkflowBundleWithSourceMap;
let dump: DumpWorld;
let world: JobWorld;

beforeAll(async () => {
  bundle = await workflowBundle();
  dump = await createDumpWorld({ rows: 1_000 });
  const rule = { keepMs: 30 * DAY_MS, leastDaily: 7, leastWeekly: 4, leastNewest: 1 };
  const ports = {
    now: () => new Date(),
    databaseBackup: {
      ...dump.ports,
      // Rows of runs and of backups are in one database.
      get catalogue() {
        return backupCatalogue(world.database.db);
      },
      rules: { dump: rule, base: rule },
    },
  } as unknown as JobPorts; // these jobs ask for nothing else
  world = await createJobWorld(bundle, ports);
});
afterAll(async () => {
  await world.close();
  await dump.close();
});

const run = (jobName: string, input: object = {}): Promise<{ state: string; runId: string; result: unknown }> => {
  const runId = randomUUID();
  return world.withWorker([dbBackup, backupVerify, backupRetention], () =>
    world.temporal.client.workflow.execute('job', {
      taskQueue: 'jobs',
      workflowId: `job/${jobName}/${runId}`,
      args: [{ jobName, runId, input }],
    }),
  );
};
const newest = async () => {
  const [backup] = await listBackups(world.database.db, { kind: null, state: null, before: null, limit: 1 });
  if (backup === undefined) throw new Error('there is no backup');
  return backup;
};
const scrape = async (): Promise<string> => {
  const registry = new Registry();
  registerBackupMetrics(
    registry,
    () => readBackupTimes(world.database.db),
    BACKUP_KINDS,
    () => performance.now(),
  );
  return registry.metrics();
};

describe('the backups of the database', () => {
  it('are shown as never taken by the first scrape', async () => {
    const metrics = await scrape();
    expect(metrics).toContain('derms_backup_last_verified_timestamp_seconds{kind="dump"} 0');
    expect(metrics).toContain('derms_backup_last_success_timestamp_seconds{kind="base"} 0');
    expect(metrics).toContain('derms_backup_verification_failures_total 0');
  });

  it('are taken, verified and listed by one run', async () => {
    const { state, runId, result } = await run('db-backup');
    expect(state).toBe('succeeded');
    const backup = await newest();
    expect(backup).toMatchObject({ kind: 'dump', state: 'verified', runId, lastVerdict: 'passed', deletedProof: null });
    expect(result).toMatchObject({ backupId: backup.backupId, retention: { kept: 1, removed: [] } });
    expect((await readBackup(world.database.db, backup.backupId))?.checks).toMatchObject([
      { kind: 'verification', verdict: 'passed', runId, checkId: backup.proofCheckId },
    ]);
    const takenAt = String(Math.floor(Date.parse(backup.takenAt) / 1000));
    expect(await scrape()).toContain(`derms_backup_last_verified_timestamp_seconds{kind="dump"} ${takenAt}`);
  });

  it('stay where they are while the database is quarantined: its catalogue may be older than storage', async () => {
    const { db } = world.database;
    const quarantine = { by: 'test', reason: 'restored', restoredFrom: 'b-1', dataAsOf: '2026-11-01T00:00:00Z' };
    await imposeQuarantine(db, quarantine);
    expect((await run('backup-retention', { dryRun: false })).result).toMatchObject({
      dump: { removed: [], heldBackBy: 'the database is quarantined: restored' },
    });
    await db.query(
      `update quarantine set lifted_at = now(), lifted_by = 'test', lift_reason = 'over', lift_forced = true`,
    );
  });

  it('are let go by a newer verified one, which is named, and by a dry run not at all', async () => {
    const { db } = world.database;
    const aging = await newest();
    for (let night = 0; night < 10; night += 1) await run('db-backup');
    await db.query(
      `update backups b set taken_at = now() - make_interval(days => n::integer * 4)
         from (select backup_id, row_number() over (order by taken_at desc) - 1 as n from backups) o
        where o.backup_id = b.backup_id and n > 0`,
    );
    const dry = await run('backup-retention', { dryRun: true });
    // Taken 32, 36 and 40 days ago; seven daily ones stay all the same.
    expect(dry.result).toMatchObject({ dump: { kept: 8, removed: [{ backupId: aging.backupId }, {}, {}] } });
    expect((await readBackup(db, aging.backupId))?.backup.state).toBe('verified');
    const { result } = await run('backup-retention', { dryRun: false });
    expect(result).toEqual(dry.result);
    const proof = await newest();
    expect((await readBackup(db, aging.backupId))?.backup).toMatchObject({
      state: 'deleted',
      deletedProof: { backupId: proof.backupId, checkId: proof.proofCheckId },
    });
    expect(await dump.ports.storage.head(aging.key)).toBeNull();
  }, 300_000);

  it('that have gone bad are found by a later look, counted, and keep the old ones from being let go', async () => {
    const bad = await newest();
    truncateSync(join(dump.folder, bad.key), 1_000);
    await expect(run('backup-verify', { backupId: bad.backupId })).rejects.toThrow();
    expect((await newest()).state).toBe('damaged');
    expect(await scrape()).toContain('derms_backup_verification_failures_total 1');
    expect((await run('backup-retention', { dryRun: false })).result).toMatchObject({ dump: { removed: [] } });
  });

  it('fail loudly where nothing is set up for them', async () => {
    const ports = { now: () => new Date(), databaseBackup: 'BACKUP_STORAGE is not set' };
    const unset = await createJobWorld(bundle, ports as unknown as JobPorts);
    const runId = randomUUID();
    const workflowId = `job/db-backup/${runId}`;
    const ended = unset.withWorker([dbBackup], () =>
      unset.temporal.client.workflow.execute('job', {
        taskQueue: 'jobs',
        workflowId,
        args: [{ jobName: 'db-backup', runId, input: {} }],
      }),
    );
    await expect(ended).rejects.toThrow();
    expect((await unset.row(runId))?.failure).toEqual({
      code: 'BACKUP_NOT_CONFIGURED',
      message: 'BACKUP_STORAGE is not set',
    });
    await unset.close();
  });
});
