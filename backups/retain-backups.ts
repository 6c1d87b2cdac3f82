import { removableBackups, type LetGo, type RetentionRule } from '../domain/retention/removable-backups';
import { StorageError } from '../storage/storage-error';
import type { ObjectStorage } from '../storage/port';
import type { BackupCatalogue, KeptBackup } from './catalogue';
import { manifestKeyOf } from './manifest';

export interface RetainPorts {
  readonly storage: ObjectStorage;
  readonly catalogue: BackupCatalogue;
}

export interface RetainOrder {
  readonly kind: 'dump' | 'base';
  /** The job that makes them. */
  readonly jobName: string;
  readonly rule: RetentionRule;
  readonly nowMs: number;
  /** true: only told. */
  readonly dryRun: boolean;
}

/** What was removed (or, in a dry run, would be), each with the proof that lets it go; JSON-safe. */
export interface Retained {
  readonly kept: number;
  readonly removed: readonly (LetGo & { readonly key: string })[];
  /** May go, but storage does not let them (object lock). */
  readonly locked: readonly string[];
  /** Why nothing was removed; null when nothing spoke against it. */
  readonly heldBackBy: string | null;
}

/** Applies the rule of `domain/retention/removable-backups.ts` to the backups of one kind. */
export async function retainBackups(ports: RetainPorts, order: RetainOrder): Promise<Retained> {
  const { kind, jobName, rule, nowMs, dryRun } = order;
  const backups = await ports.catalogue.kept(kind);
  const heldBackBy = dryRun ? null : await ports.catalogue.heldBackBy();
  if (heldBackBy !== null) return { kept: backups.length, removed: [], locked: [], heldBackBy };
  const [newest] = backups;
  const newestAttemptFailed = newest !== undefined && (await ports.catalogue.hasFailedSince(jobName, newest.takenAt));
  const removable = removableBackups(backups.map(asRetainable), rule, { nowMs, newestAttemptFailed });
  const keyOf = new Map(backups.map(({ backupId, key }) => [backupId, key]));
  const removed: (LetGo & { key: string })[] = [];
  const locked: string[] = [];
  for (const letGo of removable) {
    const entry = { ...letGo, key: keyOf.get(letGo.backupId) ?? '' };
    if (dryRun || (await remove(ports, entry))) removed.push(entry);
    else locked.push(entry.key);
  }
  return { kept: backups.length - removed.length, removed, locked, heldBackBy: null };
}

const asRetainable = ({ backupId, takenAt, proofCheckId, lastVerdict }: KeptBackup) => ({
  backupId,
  takenAtMs: Date.parse(takenAt),
  proofCheckId,
  isDamaged: lastVerdict === 'failed',
});

/** The proof is recorded first, then the manifest goes: what a killed run leaves is no backup, and goes the next time. */
async function remove(
  { storage, catalogue }: RetainPorts,
  { backupId, because, key }: LetGo & { readonly key: string },
) {
  await catalogue.beginDeletion(backupId, because);
  try {
    await storage.remove(manifestKeyOf(key));
    await storage.remove(key);
  } catch (error) {
    if (!(error instanceof StorageError) || error.reason !== 'locked') throw error;
    await catalogue.abandonDeletion(backupId);
    return false;
  }
  await catalogue.endDeletion(backupId);
  return true;
}
