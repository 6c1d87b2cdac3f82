import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addBackup, addCheck } from '../db/backups';
import type { Database } from '../db/pool';
import { prepareRestored } from '../db/prepare-restored';
import { hashPassword } from '../config/password-hash';
import type { Settings } from '../config/schema';
import type { RestoreDrillPort } from '../jobs/runner/ports';
import { asCatalogued } from '../backups/catalogue';
import { findBackupPrograms, type BackupPrograms } from '../backups/postgres/programs';
import { withClient } from '../backups/restore/admin-client';
import { contentOf } from '../backups/restore/content-of';
import { chooseBackup, findBackups } from '../backups/restore/find-backups';
import { askQuarantinedApi } from '../backups/restore/quarantined-api';
import { runDrill, type DrillPorts } from '../backups/restore/run-drill';
import { serverIdentity, type LiveSystem } from '../backups/restore/target-server';
import { accessOf } from '../config/postgres-url';
import type { BackupVault } from '../backups/vault';

/** Of the same build as this process. */
const API = join(__dirname, '../api/main.js');
const GIGABYTE = 1e9;

/** Joins the restore drill to this deployment; a sentence where it lacks something. */
export function restoreDrillPort(
  settings: Settings,
  vault: BackupVault | null,
  db: Database,
): RestoreDrillPort | string {
  if (vault === null) return 'BACKUP_STORAGE or BACKUP_ENCRYPTION_KEYS is not set: there is no backup to restore';
  const programs = programsOf(settings);
  if (typeof programs === 'string') return programs;
  return {
    deployment: settings.DEPLOYMENT,
    maxBytes: settings.RESTORE_DRILL_MAX_GB * GIGABYTE,
    targets: {
      rtoSeconds: settings.RESTORE_RTO_TARGET_SECONDS,
      rpoSeconds: settings.RESTORE_RPO_TARGET_SECONDS,
    },
    choose: async (wanted) => chooseBackup((await findBackups(vault)).found, wanted),
    run: async (order, report) => {
      const live = await liveSystem(settings, db);
      await runDrill({ ...vault, programs, live, ...deploymentPorts(settings, order.runId) }, order, report);
    },
    record: async ({ backup, report, runId, verdict, failure }) => {
      // A database that was restored knows nothing of the backups that came after its own.
      await addBackup(db, asCatalogued(backup));
      await addCheck(db, {
        backupId: backup.backupId,
        kind: 'restore-drill',
        runId,
        verdict,
        details: { ...report, failure },
      });
    },
  };
}

/** Where drills make what they throw away. */
export const drillFolder = ({ RESTORE_SCRATCH_DIR: folder }: Settings): string => folder ?? tmpdir();

function programsOf(settings: Settings): BackupPrograms | string {
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

/** Who must not be restored over. */
async function liveSystem({ DB_NAME: database, DEPLOYMENT: deployment }: Settings, db: Database): Promise<LiveSystem> {
  return { ...(await serverIdentity(db)), database, deployment };
}

function deploymentPorts(
  settings: Settings,
  runId: string,
): Omit<DrillPorts, 'storage' | 'keyRing' | 'programs' | 'live'> {
  const parent = drillFolder(settings);
  const applicationRole = settings.DB_USER;
  return {
    server: settings.RESTORE_TARGET_URL === undefined ? null : accessOf(settings.RESTORE_TARGET_URL),
    scratchParent: parent,
    applicationRole,
    contentOf: (access, signal) => contentOf(access, signal, settings.BACKUP_SILENCE_TIMEOUT_MS),
    prepare: async (access, { backupId, takenAt }) => {
      const by = `restore drill ${runId}`;
      // What was deleted since comes back for the minutes of the drill: it compares with the backup as it is.
      const from = { backupId, takenAt, by, applicationRole, applicationPassword: null, deletions: [] };
      await withClient(access, 'derms-restore-drill', (client) => prepareRestored(client, from));
    },
    askApplication: (database, signal) => askQuarantinedApi({ script: API, parent, database, signal, hashPassword }),
    now: () => new Date(),
    monotonicMs: () => performance.now(),
  };
}
