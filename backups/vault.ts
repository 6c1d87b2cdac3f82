import type { SettingName, Settings } from '../config/schema';
import { parseKeyRing, type KeyRing } from '../storage/encryption/key-ring';
import { STORAGE_SETTINGS } from '../storage/location';
import { openStorage } from '../storage/open-storage';
import type { ObjectStorage } from '../storage/port';

export const VAULT_SETTINGS = [...STORAGE_SETTINGS, 'BACKUP_ENCRYPTION_KEYS'] as const satisfies readonly SettingName[];

/** Where backups lie and what encrypts them. */
export interface BackupVault {
  readonly storage: ObjectStorage;
  readonly keyRing: KeyRing;
}

/** null where the settings name no storage or no keys. @throws when they name some that cannot be used. */
export async function openBackupVault(
  settings: Pick<Settings, (typeof VAULT_SETTINGS)[number]>,
): Promise<BackupVault | null> {
  const { BACKUP_STORAGE: address, BACKUP_ENCRYPTION_KEYS: keys } = settings;
  if (address === undefined || keys === undefined) return null;
  return { storage: await openStorage(settings), keyRing: parseKeyRing(keys) };
}
