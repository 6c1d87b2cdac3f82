import type { SignatureCheck } from '../../storage/encryption/key-ring';
import type { DumpManifest } from '../manifest-schema';
import { takeStock, type StockedManifest, type UnreadableManifest } from '../stock';
import type { BackupVault } from '../vault';
import { RestoreFailure } from './failure';

/** A dump as storage itself tells of it: no database of ours is asked. */
export interface FoundBackup {
  readonly manifest: DumpManifest;
  readonly signature: SignatureCheck;
  /** false: its content is not there, or is not as long as it was. */
  readonly isWhole: boolean;
}

export interface FoundBackups {
  /** Newest first. */
  readonly found: readonly FoundBackup[];
  readonly unreadable: readonly UnreadableManifest[];
  /** Keys of content that has no manifest: no backup. */
  readonly withoutManifest: readonly string[];
}

/** Every dump in storage. */
export async function findBackups(vault: BackupVault): Promise<FoundBackups> {
  const { manifests, unreadable, withoutManifest } = await takeStock(vault, 'dump');
  return { found: manifests.flatMap(asFound), unreadable, withoutManifest: withoutManifest.map(({ key }) => key) };
}

const asFound = ({ manifest, signature, object }: StockedManifest): FoundBackup[] =>
  manifest.kind === 'dump' ? [{ manifest, signature, isWhole: object?.bytes === manifest.object.bytes }] : [];

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
