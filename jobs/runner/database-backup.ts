import { findBasePrograms, type BasePrograms } from '../../backups/base/programs';
import { verifyBase } from '../../backups/base/verify-base';
import { backupsOf } from '../../backups/backup-key';
import type { KeptBackup } from '../../backups/catalogue';
import type { DatabaseBackupPorts } from '../../backups/database-ports';
import type { BackupVerdict } from '../../backups/verdict';
import { verifyDump } from '../../backups/verify-dump';
import { OF_ANY_AGE } from '../../storage/port';
import { JobFailure, type JobContext } from './context';
import { recordCheck, type CheckedBackup } from './record-check';

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

const DAY_MS = 86_400_000;

/**
 * Removes parts of uploads that were never finished: of this kind, which one run at a time puts there, whatever their age;
 * of all others when they are a day old.
 */
export async function sweepUnfinished(context: JobContext, kind: 'dump' | 'base'): Promise<void> {
  const { storage } = databaseBackup(context);
  const swept = (await storage.sweepParts(OF_ANY_AGE, backupsOf(kind))) + (await storage.sweepParts(DAY_MS));
  if (swept > 0) context.log.info({ swept }, 'parts of uploads that were never finished are removed');
}

type StoredBackup = Pick<KeptBackup, 'backupId' | 'key' | 'storedBytes' | 'kind'>;

/** Looks at one stored backup of the database and records what was seen. */
export async function checkBackup(context: JobContext, backup: StoredBackup): Promise<CheckedBackup> {
  return recordCheck(context, databaseBackup(context).catalogue, backup, await look(context, backup));
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
