import type { BackupCatalogue, KeptBackup } from '../../backups/catalogue';
import type { BackupVerdict } from '../../backups/verdict';
import type { JobContext } from './context';

export interface CheckedBackup extends Pick<BackupVerdict, 'verdict' | 'faults'> {
  /** The proof, when it passed. */
  readonly checkId: number;
}

/** Records what was seen of a stored backup: as a row, with the run, and in the log. */
export async function recordCheck(
  context: JobContext,
  catalogue: Pick<BackupCatalogue, 'addCheck'>,
  { backupId, key }: Pick<KeptBackup, 'backupId' | 'key'>,
  { verdict, faults, seconds }: BackupVerdict,
): Promise<CheckedBackup> {
  const details = { faults, seconds };
  const check = { backupId, kind: 'verification', runId: context.runId, verdict, details } as const;
  const checkId = await catalogue.addCheck(check);
  await context.evidence('backup-verification', { backupId, key, checkId, verdict, ...details });
  const told = { backupId, key, checkId, ...details };
  if (verdict === 'passed') context.log.info(told, 'backup verified');
  else context.log.error(told, 'a backup cannot be restored from');
  return { checkId, verdict, faults };
}
