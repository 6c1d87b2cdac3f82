import { z } from 'zod';
import { asCatalogued } from '../backups/catalogue';
import { backupKeyOf } from '../backups/backup-key';
import { takeDump } from '../backups/postgres/take-dump';
import type { Retained } from '../backups/retain-backups';
import { JobFailure, type JobContext } from './runner/context';
import { checkBackup, databaseBackup, sweepUnfinished } from './runner/database-backup';
import { defineSteps } from './runner/declaration';
import type { CheckedBackup } from './runner/record-check';
import { retainDumps } from './runner/retention';

const HOUR_S = 3_600;

/** Dumps the database into storage, proves the dump by reading it back, and lets old ones go. */
export const job = defineSteps({
  name: 'db-backup',
  purpose: 'Dumps the database into storage, encrypted; reads the dump back to prove it; removes old ones.',
  input: z.strictObject({}),
  schedule: { cron: '15 2 * * *', overlap: 'skip', catchUpSeconds: 12 * HOUR_S },
  concurrency: { atMost: 1 },
  freshness: { objective: 'a verified backup younger than 26 h', withinSeconds: 26 * HOUR_S },
  runbook: 'db-backup.md',
  steps: [
    { name: 'prepare', attemptSeconds: 300, attempts: 5, run: (_input, context) => prepare(context) },
    {
      name: 'dump',
      attemptSeconds: 6 * HOUR_S,
      attempts: 3,
      pauseSeconds: 10,
      run: (_input, context) => dump(context),
    },
    { name: 'verify', attemptSeconds: 6 * HOUR_S, attempts: 3, run: (_input, context) => verify(context) },
    { name: 'retain', attemptSeconds: HOUR_S, attempts: 3, run: (_input, context) => retain(context) },
  ],
});

interface Prepared {
  readonly key: string;
}

/** The name is chosen once, so that every attempt of the dump puts its object in the same place. */
async function prepare(context: JobContext): Promise<Prepared> {
  await sweepUnfinished(context, 'dump');
  return { key: backupKeyOf('dump', context.nominalAt ?? context.ports.now(), context.runId) };
}

interface Dumped {
  readonly backupId: string;
  readonly key: string;
  readonly storedBytes: number;
  readonly dumpBytes: number;
  readonly takenAt: string;
  readonly tables: number;
  readonly rows: number;
}

async function dump(context: JobContext): Promise<Dumped> {
  const ports = databaseBackup(context);
  const { key } = context.results['prepare'] as Prepared; // what that step answered
  const { runId, workflowId, signal } = context;
  const manifest = await takeDump(ports, {
    key,
    runId,
    workflowId,
    signal,
    onProgress: (doneBytes, totalBytes) => {
      // A dump is smaller than its database: indexes are not in it.
      const share = totalBytes === 0 ? 0 : Math.min(0.99, doneBytes / totalBytes);
      context.progress({ doneBytes, totalBytes, share, note: 'dumping' });
    },
  });
  await ports.catalogue.add(asCatalogued(manifest));
  const dumped: Dumped = {
    backupId: manifest.backupId,
    key,
    storedBytes: manifest.object.bytes,
    dumpBytes: manifest.dump.bytes,
    takenAt: manifest.takenAt,
    tables: manifest.tables.length,
    rows: manifest.tables.reduce((sum, { rows }) => sum + rows, 0),
  };
  await context.evidence('db-backup', { ...dumped, object: manifest.object, steps: manifest.steps });
  context.log.info(dumped, 'the database is dumped');
  return dumped;
}

async function verify(context: JobContext): Promise<CheckedBackup> {
  const checked = await checkBackup(context, { ...(context.results['dump'] as Dumped), kind: 'dump' }); // what that step answered
  if (checked.verdict === 'passed') return checked;
  throw new JobFailure('BACKUP_VERIFICATION_FAILED', checked.faults.join('; '));
}

async function retain(
  context: JobContext,
): Promise<Dumped & { readonly verification: CheckedBackup; readonly retention: Retained }> {
  const retention = await retainDumps(context, { dryRun: false });
  context.log.info(retention, 'old dumps looked through');
  const dumped = context.results['dump'] as Dumped; // as above
  return { ...dumped, verification: context.results['verify'] as CheckedBackup, retention };
}
