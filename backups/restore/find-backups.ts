import type { KeyRing, SignatureCheck } from '../../storage/encryption/key-ring';
import type { ObjectStorage } from '../../storage/port';
import { backupsOf } from '../backup-key';
import { checkSignature, isManifestKey, manifestKeyOf, readManifest } from '../manifest';
import type { BackupManifest, BaseManifest, DumpManifest } from '../manifest-schema';
import { RestoreFailure } from './failure';

/** A backup as storage itself tells of it: no database of ours is asked. */
export interface FoundBackup<Manifest extends BackupManifest = DumpManifest> {
  readonly manifest: Manifest;
  readonly signature: SignatureCheck;
}

/** What lies there and could not be read, and why. */
export interface UnreadableBackup {
  readonly key: string;
  readonly why: string;
}

export interface FoundBackups<Manifest extends BackupManifest> {
  readonly found: readonly FoundBackup<Manifest>[];
  readonly unreadable: readonly UnreadableBackup[];
}

/** Every dump in storage, newest first. */
export const findBackups = (storage: ObjectStorage, keyRing: KeyRing): Promise<FoundBackups<DumpManifest>> =>
  findOfKind<DumpManifest>(storage, keyRing, 'dump');

/** Every base backup in storage, newest first. */
export const findBaseBackups = (storage: ObjectStorage, keyRing: KeyRing): Promise<FoundBackups<BaseManifest>> =>
  findOfKind<BaseManifest>(storage, keyRing, 'base');

async function findOfKind<Manifest extends BackupManifest>(
  storage: ObjectStorage,
  keyRing: KeyRing,
  kind: Manifest['kind'],
): Promise<FoundBackups<Manifest>> {
  const found: FoundBackup<Manifest>[] = [];
  const unreadable: UnreadableBackup[] = [];
  const isWanted = (manifest: BackupManifest): manifest is Manifest => manifest.kind === kind;
  for (const key of await objectKeys(storage, kind)) {
    try {
      const manifest = await readManifest(storage, key);
      if (isWanted(manifest)) found.push({ manifest, signature: checkSignature(keyRing, manifest) });
    } catch (error) {
      unreadable.push({ key, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return { found: found.sort((a, b) => (a.manifest.takenAt < b.manifest.takenAt ? 1 : -1)), unreadable };
}

async function objectKeys(storage: ObjectStorage, kind: BackupManifest['kind']): Promise<string[]> {
  const keys: string[] = [];
  const suffix = manifestKeyOf('').length;
  for await (const { key } of storage.list(backupsOf(kind))) if (isManifestKey(key)) keys.push(key.slice(0, -suffix));
  return keys;
}

/**
 * `latest`: the newest backup that a holder of the keys has made; else the one of this id or key.
 *
 * @throws {RestoreFailure} NO_BACKUP, and BACKUP_ALTERED when its manifest was not written by a holder of the keys.
 */
export function chooseBackup(found: readonly FoundBackup[], wanted: string): DumpManifest {
  const chosen =
    wanted === 'latest'
      ? found.find(({ signature }) => signature === 'valid')
      : found.find(({ manifest }) => [manifest.backupId, manifest.object.key].includes(wanted));
  if (chosen === undefined)
    throw new RestoreFailure(
      'NO_BACKUP',
      wanted === 'latest'
        ? found.length === 0
          ? 'there is no backup in storage'
          : `none of the ${String(found.length)} backups in storage was signed with a key of this ring`
        : `there is no backup ${wanted} in storage`,
    );
  if (chosen.signature === 'unknown-key')
    throw new RestoreFailure(
      'BACKUP_ALTERED',
      `${chosen.manifest.object.key} was signed with key ${chosen.manifest.signature.keyId}, which BACKUP_ENCRYPTION_KEYS does not hold`,
    );
  if (chosen.signature === 'invalid')
    throw new RestoreFailure('BACKUP_ALTERED', `the manifest of ${chosen.manifest.object.key} was altered`);
  return chosen.manifest;
}
