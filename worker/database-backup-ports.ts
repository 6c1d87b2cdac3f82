import { tmpdir } from 'node:os';
import type { DatabaseBackupPorts } from '../backups/database-ports';
import { findBackupPrograms } from '../backups/postgres/programs';
import type { BackupVault } from '../backups/vault';
import { directDatabaseAccess } from '../config/connections';
import type { Settings } from '../config/schema';
import type { Secrets } from '../config/secrets';
import { backupCatalogue } from '../db/backup-catalogue';
import type { Database } from '../db/pool';

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
    scratchParent: settings.RESTORE_SCRATCH_DIR ?? tmpdir(),
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
      longestSilenceMs: settings.BACKUP_SILENCE_TIMEOUT_MS,
    });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
