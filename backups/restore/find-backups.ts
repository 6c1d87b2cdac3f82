import type { SignatureCheck } from '../../storage/encryption/key-ring';
import type { BackupManifest, BaseManifest, DumpManifest } from '../manifest-schema';
import { takeStock, type UnreadableManifest } from '../stock';
import type { BackupVault } from '../vault';
import { RestoreFailure } from './failure';

/** A backup as storage itself tells of it: no database of ours is asked. */
export interface FoundBackup<Manifest extends BackupManifest = DumpManifest> {
  readonly manifest: Manifest;
  readonly signature: SignatureCheck;
  /** false: its content is not there, or is not as long as it was. */
  readonly isWhole: boolean;
}

export interface FoundBackups<Manifest extends BackupManifest = DumpManifest> {
  /** Newest first. */
  readonly found: readonly FoundBackup<Manifest>[];
  readonly unreadable: readonly UnreadableManifest[];
  /** Keys of content that has no manifest: no backup. */
  readonly withoutManifest: readonly string[];
}

/** Every dump in storage. */
export const findBackups = (vault: BackupVault): Promise<FoundBackups> => findOfKind<DumpManifest>(vault, 'dump');

/** Every base backup in storage. */
export const findBaseBackups = (vault: BackupVault): Promise<FoundBackups<BaseManifest>> =>
  findOfKind<BaseManifest>(vault, 'base');

async function findOfKind<Manifest extends DumpManifest | BaseManifest>(
  vault: BackupVault,
  kind: Manifest['kind'],
): Promise<FoundBackups<Manifest>> {
  const { manifests, unreadable, withoutManifest } = await takeStock(vault, kind);
  const isWanted = (manifest: BackupManifest): manifest is Manifest => manifest.kind === kind;
  return {
    found: manifests.flatMap(({ manifest, signature, object }) =>
      isWanted(manifest) ? [{ manifest, signature, isWhole: object?.bytes === manifest.object.bytes }] : [],
    ),
    unreadable,
    withoutManifest: withoutManifest.map(({ key }) => key),
  };
}

/**
 * `latest`: the newest backup that is whole and that a holder of the keys has made; else the one of this id or key.
 *
 * @throws {RestoreFailure} NO_BACKUP, and BACKUP_ALTERED when its manifest was not written by a holder of the keys, or its
 * content is not as long as that says.
 */
export function chooseBackup(found: readonly FoundBackup[], wanted: string): DumpManifest {
  const chosen =
    wanted === 'latest'
      ? found.find(({ signature, isWhole }) => signature === 'valid' && isWhole)
      : found.find(({ manifest }) => [manifest.backupId, manifest.object.key].includes(wanted));
  if (chosen === undefined)
    throw new RestoreFailure(
      'NO_BACKUP',
      wanted === 'latest'
        ? found.length === 0
          ? 'there is no backup in storage'
          : `none of the ${String(found.length)} backups in storage is whole and was signed with a key of this ring`
        : `there is no backup ${wanted} in storage`,
    );
  if (chosen.signature === 'unknown-key')
    throw new RestoreFailure(
      'BACKUP_ALTERED',
      `${chosen.manifest.object.key} was signed with key ${chosen.manifest.signature.keyId}, which BACKUP_ENCRYPTION_KEYS does not hold`,
    );
  if (chosen.signature === 'invalid')
    throw new RestoreFailure('BACKUP_ALTERED', `the manifest of ${chosen.manifest.object.key} was altered`);
  if (!chosen.isWhole)
    throw new RestoreFailure('BACKUP_ALTERED', `${chosen.manifest.object.key} is not there, or not all of it`);
  return chosen.manifest;
}
