import type { KeptBackup } from '../../backups/catalogue';
import type { DatabaseBackupPorts } from '../../backups/database-ports';
import { verifyDump } from '../../backups/verify-dump';
import { JobFailure, type JobContext } from './context';
import { recordCheck, type CheckedBackup } from './record-check';

/** @throws {JobFailure} `BACKUP_NOT_CONFIGURED`: a backup that cannot be taken must not look like one that was not due. */
export function databaseBackup({ ports: { databaseBackup: found } }: JobContext): DatabaseBackupPorts {
  if (typeof found !== 'string') return found;
  throw new JobFailure('BACKUP_NOT_CONFIGURED', found);
}

/** Looks at one stored dump and records what was seen. */
export async function checkDump(
  context: JobContext,
  backup: Pick<KeptBackup, 'backupId' | 'key' | 'storedBytes'>,
): Promise<CheckedBackup> {
  const ports = databaseBackup(context);
  const { key, storedBytes } = backup;
  const seen = await verifyDump(ports, key, {
    signal: context.signal,
    onProgress: (doneBytes) => {
      const share = storedBytes === 0 ? 0 : Math.min(1, doneBytes / storedBytes);
      context.progress({ doneBytes, totalBytes: storedBytes, share, note: `reading ${key}` });
    },
  });
  return recordCheck(context, ports.catalogue, backup, seen);
}
