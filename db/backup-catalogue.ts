import {
  abandonDeletion,
  addBackup,
  addCheck,
  beginDeletion,
  endDeletion,
  findBackup,
  hasFailedSince,
  listBackupsToCheck,
  listKeptBackups,
  unknownBackups,
  type BackupKind,
  type NewBackup,
  type NewCheck,
} from './backups';
import type { Database } from './pool';
import { quarantineReason } from './quarantine';

/** The rows of backups as those see them who make, look at and let go backups; `backups/catalogue.ts` is their port. */
export const backupCatalogue = (db: Database) => ({
  add: (backup: NewBackup) => addBackup(db, backup),
  addCheck: (check: NewCheck) => addCheck(db, check),
  kept: (kind: BackupKind) => listKeptBackups(db, kind),
  unknown: (backupIds: readonly string[]) => unknownBackups(db, backupIds),
  toCheck: (kind: BackupKind, most: number) => listBackupsToCheck(db, kind, most),
  find: (backupId: string) => findBackup(db, backupId),
  hasFailedSince: (jobName: string, takenAt: string) => hasFailedSince(db, jobName, takenAt),
  heldBackBy: () => quarantineReason(db),
  beginDeletion: (backupId: string, proof: object) => beginDeletion(db, backupId, proof),
  endDeletion: (backupId: string) => endDeletion(db, backupId),
  abandonDeletion: (backupId: string) => abandonDeletion(db, backupId),
});
