import type { BackupCatalogue } from '../backups/catalogue';
import type { DatabaseBackupPorts } from '../backups/database-ports';
import { findBackupPrograms } from '../backups/postgres/programs';
import type { BackupVault } from '../backups/vault';
import { directDatabaseAccess } from '../config/connections';
import type { Settings } from '../config/schema';
import type { Secrets } from '../config/secrets';
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
} from '../db/backups';
import type { Database } from '../db/pool';
import { quarantineReason } from '../db/quarantine';

const DAY_MS = 86_400_000;

/** Joins the backup of the database to this deployment; a sentence where it lacks something. */
export function databaseBackupPorts(
  settings: Settings,
  secrets: Secrets,
  vault: BackupVault | null,
  db: Database,
): DatabaseBackupPorts | string {
  if (vault === null) return 'BACKUP_STORAGE or BACKUP_ENCRYPTION_KEYS is not set: there is no place for backups';
  const { BACKUP_DB_USER: user, BACKUP_DB_PASSWORD: password } = settings;
  if (user === undefined || password === undefined)
    return 'BACKUP_DB_USER or BACKUP_DB_PASSWORD is not set: the application may not read all of the database';
  const currentPassword = secrets.reader('BACKUP_DB_PASSWORD', password);
  const programs = programsOf(settings);
  if (typeof programs === 'string') return programs;
  return {
    ...vault,
    programs,
    access: {
      ...directDatabaseAccess(settings, secrets),
      user,
      get password() {
        return currentPassword();
      },
    },
    deployment: settings.DEPLOYMENT,
    catalogue: backupCatalogue(db),
    rules: {
      dump: { keepMs: settings.BACKUP_KEEP_DAYS * DAY_MS, leastDaily: 7, leastWeekly: 4, leastNewest: 1 },
      base: { keepMs: 0, leastDaily: 0, leastWeekly: 0, leastNewest: settings.BACKUP_KEEP_BASE },
    },
  };
}

function programsOf(settings: Settings): DatabaseBackupPorts['programs'] | string {
  try {
    return findBackupPrograms({
      postgresBin: settings.POSTGRES_BIN_DIR,
      postgresLibraries: settings.POSTGRES_LIBRARY_PATH,
      zstd: settings.ZSTD_PATH,
      zstdLibraries: settings.ZSTD_LIBRARY_PATH,
    });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The catalogue in Postgres. */
export const backupCatalogue = (db: Database): BackupCatalogue => ({
  add: (backup) => addBackup(db, backup),
  addCheck: (check) => addCheck(db, check),
  kept: (kind) => listKeptBackups(db, kind),
  toCheck: (most) => listBackupsToCheck(db, most),
  find: (backupId) => findBackup(db, backupId),
  hasFailedSince: (jobName, takenAt) => hasFailedSince(db, jobName, takenAt),
  heldBackBy: () => quarantineReason(db),
  beginDeletion: (backupId, proof) => beginDeletion(db, backupId, proof),
  endDeletion: (backupId) => endDeletion(db, backupId),
  abandonDeletion: (backupId) => abandonDeletion(db, backupId),
});
