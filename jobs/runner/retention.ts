import { retainBackups, type Retained } from '../../backups/retain-backups';
import { retainWal, type RetainedWal } from '../../backups/wal/retain-wal';
import type { JobContext } from './context';
import { databaseBackup } from './database-backup';

/** Lets old dumps go. */
export function retainDumps(context: JobContext, { dryRun }: { readonly dryRun: boolean }): Promise<Retained> {
  const ports = databaseBackup(context);
  const nowMs = context.ports.now().getTime();
  return retainBackups(ports, { kind: 'dump', jobName: 'db-backup', rule: ports.rules.dump, nowMs, dryRun });
}

export interface RetainedBases {
  readonly base: Retained;
  readonly wal: RetainedWal;
}

/** Lets old base backups go, then the log that none of those that stay needs. What was removed is kept with the run. */
export async function retainBases(
  context: JobContext,
  { dryRun }: { readonly dryRun: boolean },
): Promise<RetainedBases> {
  const ports = databaseBackup(context);
  const nowMs = context.ports.now().getTime();
  const jobName = 'base-backup';
  const base = await retainBackups(ports, { kind: 'base', jobName, rule: ports.rules.base, nowMs, dryRun });
  const without = base.removed.map(({ backupId }) => backupId);
  const wal = await retainWal(ports, { jobName, without, dryRun, signal: context.signal });
  if (!dryRun) await context.evidence('wal-retention', wal);
  return { base, wal };
}
