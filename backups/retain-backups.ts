import { provenNewest, removableBackups, type LetGo, type RetentionRule } from '../domain/retention/removable-backups';
import { StorageError } from '../storage/storage-error';
import { backupsOf, type StoredKind } from './backup-key';
import type { BackupCatalogue, KeptBackup } from './catalogue';
import { manifestKeyOf } from './manifest';
import { sweepRemains, type Swept } from './sweep-remains';
import type { BackupVault } from './vault';

export interface RetainPorts extends BackupVault {
  readonly catalogue: BackupCatalogue;
}

export interface RetainOrder {
  readonly kind: StoredKind;
  /** Only those whose key begins like this: one broker's, say. Default: all of the kind. */
  readonly below?: string;
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
  /** Halves of backups that were never finished. */
  readonly swept: readonly Swept[];
  /** May go, but storage does not let them (object lock). */
  readonly locked: readonly string[];
  /** Why nothing was removed; null when nothing spoke against it. */
  readonly heldBackBy: string | null;
}

/** Applies the rules of `domain/retention/` to the backups of one kind, and to what lies there of unfinished ones. */
export async function retainBackups(ports: RetainPorts, order: RetainOrder): Promise<Retained> {
  const { kind, below = backupsOf(kind), jobName, rule, nowMs, dryRun } = order;
  const backups = (await ports.catalogue.kept(kind)).filter(({ key }) => key.startsWith(below));
  const heldBackBy = dryRun ? null : await ports.catalogue.heldBackBy();
  if (heldBackBy !== null) return { kept: backups.length, removed: [], swept: [], locked: [], heldBackBy };
  const [newest] = backups;
  const newestAttemptFailed = newest !== undefined && (await ports.catalogue.hasFailedSince(jobName, newest.takenAt));
  const retainable = backups.map(asRetainable);
  const moment = { nowMs, newestAttemptFailed };
  const keyOf = new Map(backups.map(({ backupId, key }) => [backupId, key]));
  const removed: (LetGo & { key: string })[] = [];
  const locked: string[] = [];
  for (const letGo of removableBackups(retainable, rule, moment)) {
    const entry = { ...letGo, key: keyOf.get(letGo.backupId) ?? '' };
    if (dryRun || (await remove(ports, entry))) removed.push(entry);
    else locked.push(entry.key);
  }
  const sweep = { below, rows: backups, newest: provenNewest(retainable, moment), nowMs, dryRun };
  const swept = await sweepRemains(ports, kind, sweep);
  return { kept: backups.length - removed.length, removed, swept, locked, heldBackBy: null };
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
