import type { ProvenNewest } from '../domain/retention/removable-backups';
import { sweepableRemains, type Remains } from '../domain/retention/sweepable-remains';
import type { ObjectStorage } from '../storage/port';
import { StorageError } from '../storage/storage-error';
import { isLeftAlone } from './adopt-backups';
import type { KeptBackup } from './catalogue';
import { manifestKeyOf } from './manifest';
import { takeStock, type Stock } from './stock';
import type { StoredKind } from './backup-key';
import type { BackupVault } from './vault';

export interface Swept {
  /** Of the content that it was, or was to be. */
  readonly key: string;
  readonly because: ProvenNewest['because'];
}

/**
 * Removes halves of backups that were never finished, by the rule of `domain/retention/sweepable-remains.ts`: content
 * without manifest, signed manifests without content. What has a row is left to its retention, what cannot be trusted to a person.
 */
export async function sweepRemains(
  vault: BackupVault,
  kind: StoredKind,
  order: {
    readonly below: string;
    readonly rows: readonly Pick<KeptBackup, 'key'>[];
    readonly newest: ProvenNewest | null;
    readonly nowMs: number;
    readonly dryRun: boolean;
  },
): Promise<Swept[]> {
  const { below, rows, newest, nowMs, dryRun } = order;
  if (newest === null) return [];
  const known = new Set(rows.map(({ key }) => key));
  const remains = remainsIn(await takeStock(vault, kind)).filter(({ key }) => key.startsWith(below) && !known.has(key));
  const swept: Swept[] = [];
  for (const { key, because } of sweepableRemains(remains, newest, nowMs))
    if (dryRun || (await removeHalf(vault.storage, key))) swept.push({ key, because });
  return swept;
}

const remainsIn = ({ withoutManifest, manifests }: Stock): Remains[] => [
  ...withoutManifest,
  ...manifests.filter(isLeftAlone).map(({ manifest, storedAtMs }) => ({ key: manifest.object.key, storedAtMs })),
];

/** Once more before it is removed: is it still only half of one? */
async function removeHalf(storage: ObjectStorage, key: string): Promise<boolean> {
  const halves = [key, manifestKeyOf(key)];
  const there = await Promise.all(halves.map((half) => storage.head(half)));
  const left = there.filter((half) => half !== null);
  const [half] = left;
  if (half === undefined || left.length > 1) return false;
  try {
    await storage.remove(half.key);
    return true;
  } catch (error) {
    if (error instanceof StorageError && error.reason === 'locked') return false;
    throw error;
  }
}
