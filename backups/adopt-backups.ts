import type { StoredKind } from './backup-key';
import { asCatalogued, type BackupCatalogue, type CataloguedBackup } from './catalogue';
import { signatureInWords } from './manifest';
import { isBackup, takeStock, type Stock, type StockedManifest } from './stock';
import type { BackupVault } from './vault';

export interface AdoptPorts extends BackupVault {
  readonly catalogue: Pick<BackupCatalogue, 'add' | 'kept' | 'unknown'>;
}

/** How storage and catalogue differ in one kind of backups; JSON-safe, keys of storage. */
export interface Adopted {
  /** Whole and signed, and without a row: they have one now, unproven until somebody looks at them. */
  readonly adopted: readonly string[];
  /** Rows of backups of which storage has nothing any more, and of which no look has said so. */
  readonly gone: readonly { readonly backupId: string; readonly key: string }[];
  /** Content without a manifest. Left by one that was killed, unless it is being made now. */
  readonly withoutManifest: readonly string[];
  /** Signed manifests whose content is not there. */
  readonly withoutObject: readonly string[];
  /** Never taken for a backup and never removed, each with why: a person has to look. */
  readonly untrusted: readonly { readonly key: string; readonly why: string }[];
}

/**
 * Gives backups that lie in storage their rows again, which a restored database has forgotten; only those that a holder
 * of the keys has signed. Whether they were proven before does not count: the next looks are at them. May be repeated.
 *
 * With `dryRun` it only looks.
 */
export async function adoptBackups(
  { storage, keyRing, catalogue }: AdoptPorts,
  kind: StoredKind,
  { dryRun = false, signal }: { readonly dryRun?: boolean; readonly signal?: AbortSignal } = {},
): Promise<Adopted> {
  const rows = await catalogue.kept(kind);
  const stock = await takeStock({ storage, keyRing }, kind, signal === undefined ? {} : { signal });
  const backups = stock.manifests.filter(isBackup).map(({ manifest }) => asCatalogued(manifest));
  const unknown = await unknownOf(catalogue, backups);
  if (!dryRun) for (const backup of unknown) await catalogue.add(backup);
  const inStorage = keysOf(stock);
  return {
    adopted: unknown.map(({ key }) => key),
    gone: rows
      .filter(
        ({ key, lastVerdict, deletedProof }) =>
          !inStorage.has(key) && lastVerdict !== 'failed' && deletedProof === null,
      )
      .map(({ backupId, key }) => ({ backupId, key })),
    withoutManifest: stock.withoutManifest.map(({ key }) => key),
    withoutObject: stock.manifests.filter(isLeftAlone).map(({ manifest }) => manifest.object.key),
    untrusted: [...stock.unreadable, ...stock.manifests.flatMap(whyNot)],
  };
}

async function unknownOf(
  catalogue: AdoptPorts['catalogue'],
  backups: readonly CataloguedBackup[],
): Promise<CataloguedBackup[]> {
  const unknown = new Set(await catalogue.unknown(backups.map(({ backupId }) => backupId)));
  return backups.filter(({ backupId }) => unknown.has(backupId));
}

/** Everything that has an object or a manifest, trusted or not. */
const keysOf = ({ manifests, unreadable, withoutManifest }: Stock): ReadonlySet<string> =>
  new Set([
    ...manifests.map(({ manifest }) => manifest.object.key),
    ...unreadable.map(({ key }) => key),
    ...withoutManifest.map(({ key }) => key),
  ]);

/** A manifest of ours whose content is not there. */
export const isLeftAlone = ({ signature, object }: StockedManifest): boolean =>
  signature === 'valid' && object === null;

function whyNot({ manifest, signature, object }: StockedManifest): { key: string; why: string }[] {
  const { key, bytes } = manifest.object;
  if (signature !== 'valid') return [{ key, why: `its manifest ${signatureInWords(signature)}` }];
  if (object === null || object.bytes === bytes) return [];
  return [{ key, why: `it has ${String(object.bytes)} bytes, its manifest says ${String(bytes)}` }];
}
