import type { ObjectStorage } from '../../storage/port';
import { backupsOf } from '../backup-key';
import type { BackupCatalogue } from '../catalogue';
import { isManifestKey, manifestKeyOf } from '../manifest';

/** No run that is still at work on one began so long ago, ms. */
const OLDER_THAN_MS = 2 * 86_400_000;

/**
 * Removes objects that runs have stored and never proven: no manifest lies beside them, and no row knows them. Returns
 * their keys.
 */
export async function sweepUnproven(
  storage: ObjectStorage,
  catalogue: Pick<BackupCatalogue, 'kept'>,
  nowMs: number,
): Promise<string[]> {
  const keys = new Map<string, number>();
  for await (const { key, storedAtMs } of storage.list(backupsOf('base'))) keys.set(key, storedAtMs);
  const known = new Set((await catalogue.kept('base')).map(({ key }) => key));
  const swept = [...keys]
    .filter(([key]) => !isManifestKey(key) && !known.has(key) && !keys.has(manifestKeyOf(key)))
    .flatMap(([key, storedAtMs]) => (storedAtMs < nowMs - OLDER_THAN_MS ? [key] : []));
  for (const key of swept) await storage.remove(key);
  return swept;
}
