import { findBasePrograms, type BasePrograms } from '../../backups/base/programs';
import { verifyBase } from '../../backups/base/verify-base';
import type { CataloguedBackup } from '../../backups/catalogue';
import type { DatabaseBackupPorts } from '../../backups/database-ports';
import type { BackupManifest } from '../../backups/manifest-schema';
import type { BackupVerdict } from '../../backups/verdict';
import { verifyDump } from '../../backups/verify-dump';
import { JobFailure, type JobContext } from './context';

/** @throws {JobFailure} `BACKUP_NOT_CONFIGURED`: a backup that cannot be taken must not look like one that was not due. */
export function databaseBackup({ ports: { databaseBackup: found } }: JobContext): DatabaseBackupPorts {
  if (typeof found !== 'string') return found;
  throw new JobFailure('BACKUP_NOT_CONFIGURED', found);
}

/** @throws {JobFailure} `BACKUP_NOT_CONFIGURED` when this worker lacks a program for a cluster of that version. */
export async function basePrograms({ programs }: DatabaseBackupPorts, major: number): Promise<BasePrograms> {
  try {
    return await findBasePrograms(programs, major);
  } catch (cause) {
    throw new JobFailure('BACKUP_NOT_CONFIGURED', cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

export interface CheckedBackup {
  readonly checkId: number;
  readonly verdict: BackupVerdict['verdict'];
  readonly faults: readonly string[];
}

type StoredBackup = Pick<CataloguedBackup, 'backupId' | 'key' | 'storedBytes' | 'kind'>;

/** Looks at one stored backup and records what was seen: as a row, with the run, and in the log. */
export async function checkBackup(context: JobContext, backup: StoredBackup): Promise<CheckedBackup> {
  return recordCheck(context, backup, await look(context, backup));
}

function look(context: JobContext, { kind, key, storedBytes }: StoredBackup): Promise<BackupVerdict> {
  const ports = databaseBackup(context);
  const order = { signal: context.signal, onProgress: readingProgress(context, key, storedBytes) };
  if (kind !== 'base') return verifyDump(ports, key, order);
  return verifyBase(ports, (major) => basePrograms(ports, major), key, order);
}

export const readingProgress =
  (context: JobContext, key: string, storedBytes: number) =>
  (doneBytes: number): void => {
    const share = storedBytes === 0 ? 0 : Math.min(1, doneBytes / storedBytes);
    context.progress({ doneBytes, totalBytes: storedBytes, share, note: `reading ${key}` });
  };

/** What was seen of a backup: as a row, with the run, and in the log. */
export async function recordCheck(
  context: JobContext,
  { backupId, key }: Pick<StoredBackup, 'backupId' | 'key'>,
  { verdict, faults, seconds }: BackupVerdict,
): Promise<CheckedBackup> {
  const details = { faults, seconds };
  const check = { backupId, kind: 'verification', runId: context.runId, verdict, details } as const;
  const checkId = await databaseBackup(context).catalogue.addCheck(check);
  await context.evidence('backup-verification', { backupId, key, checkId, verdict, ...details });
  const told = { backupId, key, checkId, ...details };
  if (verdict === 'passed') context.log.info(told, 'backup verified');
  else context.log.error(told, 'a backup cannot be restored from');
  return { checkId, verdict, faults };
}

export const asCatalogued = (manifest: BackupManifest): CataloguedBackup => ({
  backupId: manifest.backupId,
  kind: manifest.kind,
  key: manifest.object.key,
  runId: manifest.runId,
  takenAtMs: Date.parse(manifest.takenAt),
  storedBytes: manifest.object.bytes,
  manifest,
});
