import { parseLsn, parseWalName, placeOf, startOf } from '../wal-names';

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
  /** Places that are missing although later ones are there. */
  readonly gaps: readonly string[];
}

/** A place counts as there when any timeline has it: which one recovery follows is for PostgreSQL to say. */
export function walCoverage(names: readonly string[], { startLsn, segmentBytes }: RecoveryStart): WalCoverage {
  const places = new Set(
    names.flatMap((name) => {
      const file = parseWalName(name);
      return file?.kind === 'segment' ? [file.place] : [];
    }),
  );
  const first = placeOf(parseLsn(startLsn), segmentBytes);
  const last = [...places]
    .filter((place) => place >= first)
    .sort()
    .at(-1);
  const gaps: string[] = [];
  let reachesLsn: bigint | null = null;
  if (last === undefined) return { reachesLsn, gaps };
  for (let place = first; place <= last; place = next(place, segmentBytes)) {
    if (!places.has(place)) gaps.push(place);
    else if (gaps.length === 0) reachesLsn = startOf(place, segmentBytes);
  }
  return { reachesLsn, gaps };
}

const next = (place: string, segmentBytes: number): string =>
  placeOf(startOf(place, segmentBytes) + BigInt(segmentBytes), segmentBytes);
