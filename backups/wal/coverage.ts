import { walCoverage, type WalCoverage } from '../../domain/retention/wal';
import { parseWalName, timelinePath, type TimelineStretch } from '../../domain/wal-names';
import type { BaseManifest } from '../manifest-schema';
import { readArchived, type WalArchive } from './archive-file';
import { walNameOf, walPrefix } from './archive-key';

/** Where a base backup begins to need the log. */
export type BaseStart = Pick<BaseManifest, 'startLsn' | 'segmentBytes'> & { readonly timeline: number };

/** Names of all the files of a cluster's log in storage, in the order of their keys. */
export async function archivedNames({
  storage,
  systemId,
}: Pick<WalArchive, 'storage' | 'systemId'>): Promise<string[]> {
  const names: string[] = [];
  for await (const { key } of storage.list(walPrefix(systemId))) names.push(walNameOf(key));
  return names;
}

/** How far the archive leads from a base backup on, along the newest timeline or a given one. */
export async function archiveCoverage(
  archive: WalArchive,
  base: BaseStart,
  timeline: number | 'latest' = 'latest',
): Promise<WalCoverage> {
  const names = await archivedNames(archive);
  return walCoverage(names, base, await pathFrom(archive, names, base, timeline));
}

async function pathFrom(
  archive: WalArchive,
  names: readonly string[],
  base: BaseStart,
  wanted: number | 'latest',
): Promise<readonly TimelineStretch[]> {
  const own = [{ timeline: base.timeline, fromLsn: 0n }];
  const histories = names.flatMap((name) => {
    const file = parseWalName(name);
    return file?.kind === 'history' ? [{ name, timeline: file.timeline }] : [];
  });
  const chosen =
    wanted === 'latest'
      ? histories.sort((a, b) => a.timeline - b.timeline).at(-1)
      : histories.find(({ timeline }) => timeline === wanted);
  if (chosen === undefined || chosen.timeline <= base.timeline) return own;
  const path = timelinePath(chosen.timeline, (await readArchived(archive, chosen.name)).toString('utf8'));
  return path.some(({ timeline }) => timeline === base.timeline) ? path : own;
}
