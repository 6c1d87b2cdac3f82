import { removableWal } from '../../domain/retention/wal';
import type { KeyRing } from '../../storage/encryption/key-ring';
import { StorageError } from '../../storage/storage-error';
import type { KeptBackup } from '../catalogue';
import { readManifest } from '../manifest';
import type { BaseManifest } from '../manifest-schema';
import type { RetainPorts } from '../retain-backups';
import { signatureFaults } from '../verdict';
import { walKey } from './archive-key';
import { archivedNames } from './coverage';

export interface RetainWalPorts extends RetainPorts {
  readonly keyRing: KeyRing;
}

export interface RetainWalOrder {
  /** The job that makes base backups. */
  readonly jobName: string;
  /** Base backups that go in the same pass, though a dry run has not removed them: their ids. */
  readonly without: readonly string[];
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

/** What was removed of one cluster's log (or, in a dry run, would be). */
export interface ReleasedWal {
  readonly systemIdentifier: string;
  /** The file that the oldest kept base backup begins in: everything from here on stays. */
  readonly neededFrom: string;
  readonly kept: number;
  readonly removed: number;
  /** The first and the last of them; null when there are none. */
  readonly range: readonly [first: string, last: string] | null;
  /** May go, but storage does not let them (object lock). */
  readonly locked: number;
  /** The oldest kept base backup that is proven, and its check: recovery begins there and not before. */
  readonly because: { readonly backupId: string; readonly checkId: number };
}

/** JSON-safe. */
export interface RetainedWal {
  readonly clusters: readonly ReleasedWal[];
  /** Why nothing was removed; null when nothing spoke against it. */
  readonly heldBackBy: string | null;
}

/**
 * Removes the files of the log that no kept base backup needs, by the rule of `domain/retention/wal.ts`. As with backups
 * nothing goes while the newest base backup is not proven or a newer attempt has failed. What lies there of clusters
 * that have no base backup is not touched: theirs may be on its way.
 */
export async function retainWal(ports: RetainWalPorts, order: RetainWalOrder): Promise<RetainedWal> {
  const kept = (await ports.catalogue.kept('base')).filter(({ backupId }) => !order.without.includes(backupId));
  const heldBackBy = await objection(ports, kept, order);
  if (heldBackBy !== null) return { clusters: [], heldBackBy };
  const bases: KeptBase[] = [];
  for (const backup of kept) {
    const base = await readBase(ports, backup, order.signal);
    if (typeof base === 'string') return { clusters: [], heldBackBy: base };
    bases.push(base);
  }
  const clusters: ReleasedWal[] = [];
  for (const systemId of new Set(bases.map(({ manifest }) => manifest.server.systemIdentifier))) {
    const own = bases.filter(({ manifest }) => manifest.server.systemIdentifier === systemId);
    const released = await release(ports, systemId, own, order);
    if (released !== null) clusters.push(released);
  }
  return { clusters, heldBackBy: null };
}

async function objection(
  { catalogue }: RetainWalPorts,
  newestFirst: readonly KeptBackup[],
  { jobName, dryRun }: RetainWalOrder,
): Promise<string | null> {
  const [newest] = newestFirst;
  if (newest === undefined) return 'there is no base backup';
  if (newest.proofCheckId === null) return `the newest base backup, ${newest.backupId}, is not proven`;
  if (await catalogue.hasFailedSince(jobName, newest.takenAt)) return `a run of ${jobName} after the newest has failed`;
  return dryRun ? null : catalogue.heldBackBy();
}

interface KeptBase {
  readonly backup: KeptBackup;
  readonly manifest: BaseManifest;
}

/** Why it cannot be known what a kept one needs, else its manifest. */
async function readBase(
  { storage, keyRing }: RetainWalPorts,
  backup: KeptBackup,
  signal: AbortSignal,
): Promise<KeptBase | string> {
  const manifest = await readManifest(storage, backup.key, { signal }).catch((error: unknown) => {
    if (error instanceof StorageError && error.reason !== 'missing') throw error;
    return error instanceof Error ? error.message : String(error);
  });
  if (typeof manifest === 'string') return manifest;
  if (manifest.kind !== 'base') return `${backup.key} is no base backup`;
  const [fault] = signatureFaults(keyRing, manifest);
  return fault === undefined ? { backup, manifest } : `${backup.key}: ${fault}`;
}

/** null while none of them is proven. */
async function release(
  ports: RetainWalPorts,
  systemId: string,
  newestFirst: readonly KeptBase[],
  { dryRun, signal }: RetainWalOrder,
): Promise<ReleasedWal | null> {
  const proof = newestFirst.findLast(({ backup }) => backup.proofCheckId !== null)?.backup;
  const checkId = proof?.proofCheckId ?? null;
  if (proof === undefined || checkId === null) return null;
  const names = await archivedNames({ storage: ports.storage, systemId });
  const removable = removableWal(
    names,
    newestFirst.map(({ manifest }) => manifest),
  );
  let locked = 0;
  for (const name of dryRun ? [] : removable) {
    signal.throwIfAborted();
    if (!(await removeFile(ports, systemId, name))) locked += 1;
  }
  const removed = removable.length - locked;
  return {
    systemIdentifier: systemId,
    neededFrom: oldestStart(newestFirst),
    kept: names.length - removed,
    removed,
    range: rangeOf(removable),
    locked,
    because: { backupId: proof.backupId, checkId },
  };
}

const rangeOf = (names: readonly string[]): ReleasedWal['range'] => {
  const [first, last] = [names[0], names.at(-1)];
  return first === undefined || last === undefined ? null : [first, last];
};

/** Places order segments, whatever their timeline. */
const oldestStart = (bases: readonly KeptBase[]): string =>
  bases
    .map(({ manifest }) => manifest.startWalFile)
    .reduce((oldest, file) => (file.slice(8) < oldest.slice(8) ? file : oldest));

async function removeFile({ storage }: RetainWalPorts, systemId: string, name: string): Promise<boolean> {
  try {
    await storage.remove(walKey(systemId, name));
    return true;
  } catch (error) {
    if (error instanceof StorageError && error.reason === 'locked') return false;
    throw error;
  }
}
