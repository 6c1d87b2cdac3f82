import type { KeyRing, SignatureCheck } from '../storage/encryption/key-ring';
import type { ObjectStorage, StoredObject } from '../storage/port';
import { DermsError } from '../domain/errors';
import { StorageError } from '../storage/storage-error';
import { backupsOf, type StoredKind } from './backup-key';
import { checkSignature, isManifestKey, objectKeyOf, readManifest } from './manifest';
import type { BackupManifest } from './manifest-schema';

/** A manifest that lies in storage, whoever wrote it. */
export interface StockedManifest {
  readonly manifest: BackupManifest;
  readonly signature: SignatureCheck;
  /** What it is of, as storage has it; null: it is not there. */
  readonly object: StoredObject | null;
  readonly storedAtMs: number;
}

/** What lies there and could not be read, and why. */
export interface UnreadableManifest {
  /** Of the object that it lies beside. */
  readonly key: string;
  readonly why: string;
}

/** What storage itself tells of backups: no database of ours is asked. */
export interface Stock {
  /** Newest first. */
  readonly manifests: readonly StockedManifest[];
  readonly unreadable: readonly UnreadableManifest[];
  /** Content without a manifest: no backup, or not yet. */
  readonly withoutManifest: readonly StoredObject[];
}

/** Takes stock of one kind of backups. Reads every manifest and no content. */
export async function takeStock(
  { storage, keyRing }: { readonly storage: ObjectStorage; readonly keyRing: KeyRing },
  kind: StoredKind,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Stock> {
  const objects = new Map<string, StoredObject>();
  const beside = new Map<string, StoredObject>();
  for await (const object of storage.list(backupsOf(kind))) {
    if (isManifestKey(object.key)) beside.set(objectKeyOf(object.key), object);
    else objects.set(object.key, object);
  }
  const manifests: StockedManifest[] = [];
  const unreadable: UnreadableManifest[] = [];
  for (const [key, { storedAtMs }] of beside) {
    try {
      const manifest = ofKind(kind, await readManifest(storage, key, options));
      manifests.push({
        ...{ manifest, storedAtMs },
        signature: checkSignature(keyRing, manifest),
        object: objects.get(key) ?? null,
      });
    } catch (error) {
      if (hasGone(error)) continue;
      if (!(error instanceof DermsError) || error.code !== 'BACKUP_UNREADABLE') throw error;
      unreadable.push({ key, why: error.message });
    }
  }
  return {
    manifests: manifests.sort((a, b) => b.manifest.takenAt.localeCompare(a.manifest.takenAt)),
    unreadable,
    withoutManifest: [...objects.values()].filter(({ key }) => !beside.has(key)),
  };
}

/** Whole as far as a look from outside can tell, and written by a holder of the keys. */
export const isBackup = ({ manifest, signature, object }: StockedManifest): boolean =>
  signature === 'valid' && object !== null && object.bytes === manifest.object.bytes;

function ofKind(kind: StoredKind, manifest: BackupManifest): BackupManifest {
  if (manifest.kind === kind) return manifest;
  throw new DermsError('BACKUP_UNREADABLE', `the manifest of ${manifest.object.key} is of a ${manifest.kind}`);
}

/** Between the list and the look, by the hand of a retention. */
const hasGone = (error: unknown): boolean => error instanceof StorageError && error.reason === 'missing';
