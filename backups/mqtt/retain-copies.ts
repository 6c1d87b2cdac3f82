import { removableByAge, type AgedCopy, type Removal } from '../../domain/retention/by-age';
import { StorageError } from '../../storage/storage-error';
import type { ObjectStorage } from '../../storage/port';
import { copiesOf, isManifestKey, manifestKey } from './copy-keys';

export interface Retained {
  /** How many are kept, proven or not. */
  readonly kept: number;
  /** What was removed (or, for a dry run, would be), each with the newer proven copy that lets it go. */
  readonly removed: readonly Removal[];
  /** Past their time, but the store forbids to remove them (object lock). */
  readonly locked: readonly string[];
}

/** Applies the rule of `domain/retention/by-age.ts` to the copies of one broker. A copy counts as proven by its manifest. */
export async function retainCopies(
  storage: ObjectStorage,
  broker: string,
  { nowMs, keepDays, dryRun }: { readonly nowMs: number; readonly keepDays: number; readonly dryRun: boolean },
): Promise<Retained> {
  const copies = await listCopies(storage, broker);
  const removals = removableByAge(copies, nowMs, keepDays);
  const locked: string[] = [];
  for (const { id } of dryRun ? [] : removals) {
    if (!(await removeCopy(storage, id))) locked.push(id);
  }
  const removed = removals.filter(({ id }) => !locked.includes(id));
  return { kept: copies.length - removed.length, removed, locked };
}

async function listCopies(storage: ObjectStorage, broker: string): Promise<AgedCopy[]> {
  const storedAt = new Map<string, number>();
  const manifests = new Set<string>();
  for await (const { key, storedAtMs } of storage.list(copiesOf(broker))) {
    if (isManifestKey(key)) manifests.add(key);
    else storedAt.set(key, storedAtMs);
  }
  return [...storedAt].map(([id, takenAtMs]) => ({ id, takenAtMs, isProven: manifests.has(manifestKey(id)) }));
}

/** The manifest first: what a killed run leaves then is an old copy that is not proven, which the next one removes. */
async function removeCopy(storage: ObjectStorage, key: string): Promise<boolean> {
  try {
    await storage.remove(manifestKey(key));
    await storage.remove(key);
    return true;
  } catch (error) {
    if (error instanceof StorageError && error.reason === 'locked') return false;
    throw error;
  }
}
