import type { CataloguedBackup } from '../../backups/catalogue';
import type { DatabaseBackupPorts } from '../../backups/database-ports';
import type { DumpManifest } from '../../backups/manifest-schema';
import { verifyDump, type DumpVerdict } from '../../backups/verify-dump';
import { JobFailure, type JobContext } from './context';

/** @throws {JobFailure} `BACKUP_NOT_CONFIGURED`: a backup that cannot be taken must not look like one that was not due. */
export function databaseBackup({ ports: { databaseBackup: found } }: JobContext): DatabaseBackupPorts {
  if (typeof found !== 'string') return found;
  throw new JobFailure('BACKUP_NOT_CONFIGURED', found);
}

export interface CheckedDump {
  readonly checkId: number;
  readonly verdict: DumpVerdict['verdict'];
  readonly faults: readonly string[];
}

/** Looks at one stored dump and records what was seen: as a row, with the run, and in the log. */
export async function checkDump(
  context: JobContext,
  { backupId, key, storedBytes }: Pick<CataloguedBackup, 'backupId' | 'key' | 'storedBytes'>,
): Promise<CheckedDump> {
  const ports = databaseBackup(context);
  const { verdict, faults, seconds } = await verifyDump(ports, key, {
    signal: context.signal,
    onProgress: (doneBytes) => {
      const share = storedBytes === 0 ? 0 : Math.min(1, doneBytes / storedBytes);
      context.progress({ doneBytes, totalBytes: storedBytes, share, note: `reading ${key}` });
    },
  });
  const details = { faults, seconds };
  const check = { backupId, kind: 'verification', runId: context.runId, verdict, details } as const;
  const checkId = await ports.catalogue.addCheck(check);
  await context.evidence('backup-verification', { backupId, key, checkId, verdict, ...details });
  const told = { backupId, key, checkId, ...details };
  if (verdict === 'passed') context.log.info(told, 'backup verified');
  else context.log.error(told, 'a backup cannot be restored from');
  return { checkId, verdict, faults };
}

export const asCatalogued = (manifest: DumpManifest): CataloguedBackup => ({
  backupId: manifest.backupId,
  kind: 'dump',
  key: manifest.object.key,
  runId: manifest.runId,
  takenAtMs: Date.parse(manifest.takenAt),
  storedBytes: manifest.object.bytes,
  manifest,
});
