import { v5 as uuidv5 } from 'uuid';

/** Fixed for good: a backup has the same id whoever finds it in storage. */
const BACKUP_NAMESPACE = '0b1d0c3e-6f0a-4f0f-9a59-6d1f6c1f2b77';

const EXTENSIONS = { dump: 'dump.zst.enc', base: 'tar.zst.enc' } as const;
type DatabaseBackupKind = keyof typeof EXTENSIONS;

/**
 * Where a backup lies: named after the time it was to be taken at and its run, so that a second attempt of the run puts
 * its object in the place of the first one's, and names sort by time.
 */
export const backupKeyOf = (kind: DatabaseBackupKind, nominalAt: Date, runId: string): string =>
  `${kind}/${nominalAt.toISOString().slice(0, 19).replaceAll(':', '-')}Z-${runId.slice(-12)}.${EXTENSIONS[kind]}`;

const FOLDERS = { dump: 'dump/', base: 'base/', mqtt: 'mqtt-backup/' } as const;
export type StoredKind = keyof typeof FOLDERS;

/** Below which all backups of a kind lie. */
export const backupsOf = (kind: StoredKind): string => FOLDERS[kind];

export const backupIdOf = (key: string): string => uuidv5(key, BACKUP_NAMESPACE);
