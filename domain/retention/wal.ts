import { parseLsn, parseWalName, placeOf, startOf, walSegmentName, type TimelineStretch } from '../wal-names';

/** Where recovery from a base backup begins to read the log. */
export interface RecoveryStart {
  /** `0/2000028`. */
  readonly startLsn: string;
  readonly segmentBytes: number;
}

/**
 * Files of the log that no kept base backup needs: everything placed before the first segment that the oldest of them
 * begins with, on whatever timeline. Histories of timelines always stay, and so does what has no name of the log.
 * Without a kept base backup nothing may go: the next one may still be on its way.
 */
export function removableWal(names: readonly string[], kept: readonly RecoveryStart[]): string[] {
  const places = kept.map(({ startLsn, segmentBytes }) => placeOf(parseLsn(startLsn), segmentBytes)).sort();
  const [oldest] = places;
  if (oldest === undefined) return [];
  return names.filter((name) => {
    const file = parseWalName(name);
    return file !== null && file.kind !== 'history' && file.place < oldest;
  });
}

/** What an archive holds from a position on. */
export interface WalCoverage {
  /** Begin of the last segment that is reached without a gap; null when not even the first one is there. */
  readonly reachesLsn: bigint | null;
  /** Names of the segments that are missing although later ones are there. */
  readonly gaps: readonly string[];
}

/**
 * What a recovery along these timelines would find: of each place the segment of the timeline that has the last word
 * there. A segment of a timeline that was left is of no use after that, though it lies in the archive.
 *
 * @param path oldest first, as `timelinePath` makes it.
 */
export function walCoverage(
  names: readonly string[],
  { startLsn, segmentBytes }: RecoveryStart,
  path: readonly TimelineStretch[],
): WalCoverage {
  const wanted = (place: string): string => nameOnPath(place, segmentBytes, path);
  const there = new Set(names.filter((name) => parseWalName(name)?.kind === 'segment'));
  const first = placeOf(parseLsn(startLsn), segmentBytes);
  const last = [...there]
    .map((name) => name.slice(8))
    .filter((place) => place >= first && there.has(wanted(place)))
    .sort()
    .at(-1);
  const gaps: string[] = [];
  let reachesLsn: bigint | null = null;
  if (last === undefined) return { reachesLsn, gaps };
  for (let place = first; place <= last; place = next(place, segmentBytes)) {
    if (!there.has(wanted(place))) gaps.push(wanted(place));
    else if (gaps.length === 0) reachesLsn = startOf(place, segmentBytes);
  }
  return { reachesLsn, gaps };
}

/** The newest timeline that begins before the segment ends. */
function nameOnPath(place: string, segmentBytes: number, path: readonly TimelineStretch[]): string {
  const endsAt = startOf(place, segmentBytes) + BigInt(segmentBytes);
  const timeline = path.findLast(({ fromLsn }) => fromLsn < endsAt)?.timeline ?? 1;
  return walSegmentName(timeline, place);
}

const next = (place: string, segmentBytes: number): string =>
  placeOf(startOf(place, segmentBytes) + BigInt(segmentBytes), segmentBytes);
