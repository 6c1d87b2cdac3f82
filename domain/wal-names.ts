/**
 * Names of PostgreSQL's write-ahead log: `TTTTTTTTXXXXXXXXYYYYYYYY`, timeline and place, hexadecimal. The place alone
 * orders segments, whatever their size and timeline.
 */
export type WalFile =
  /** A stretch of the log; `partial`: the last one of a timeline that was left. */
  | { readonly kind: 'segment' | 'partial'; readonly timeline: number; readonly place: string }
  /** Notes where a base backup began. */
  | { readonly kind: 'backup-label'; readonly timeline: number; readonly place: string }
  /** Says where a timeline left another one. */
  | { readonly kind: 'history'; readonly timeline: number };

const SEGMENT = /^([0-9A-F]{8})([0-9A-F]{16})(\.partial|\.[0-9A-F]{8}\.backup)?$/;
const HISTORY = /^([0-9A-F]{8})\.history$/;

/** null for what is no name of the log. */
export function parseWalName(name: string): WalFile | null {
  const history = HISTORY.exec(name);
  if (history?.[1] !== undefined) return { kind: 'history', timeline: parseInt(history[1], 16) };
  const [, timeline, place, suffix] = SEGMENT.exec(name) ?? [];
  if (timeline === undefined || place === undefined) return null;
  const kind = suffix === undefined ? 'segment' : suffix === '.partial' ? 'partial' : 'backup-label';
  return { kind, timeline: parseInt(timeline, 16), place };
}

export const walSegmentName = (timeline: number, place: string): string => hex8(BigInt(timeline)) + place;

/** A timeline, from where it leaves the one before it. */
export interface TimelineStretch {
  readonly timeline: number;
  readonly fromLsn: bigint;
}

/**
 * How a timeline came about, oldest stretch first and itself last.
 *
 * @param history what its history file says: a line for each timeline that was left, and where.
 */
export function timelinePath(timeline: number, history: string): TimelineStretch[] {
  const path: TimelineStretch[] = [];
  let fromLsn = 0n;
  for (const [, left, at] of history.matchAll(/^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/gim)) {
    path.push({ timeline: Number(left), fromLsn });
    fromLsn = parseLsn(String(at));
  }
  return [...path, { timeline, fromLsn }];
}

/** A position in the log, as in `0/2000028`. */
export function parseLsn(lsn: string): bigint {
  const [, high, low] = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(lsn) ?? [];
  if (high === undefined || low === undefined) throw new Error(`${lsn} is no position in the log`);
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

export const formatLsn = (lsn: bigint): string =>
  `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`;

/** The place of the segment that holds a position. */
export function placeOf(lsn: bigint, segmentBytes: number): string {
  const inLog = (lsn & 0xffffffffn) / BigInt(segmentBytes);
  return hex8(lsn >> 32n) + hex8(inLog);
}

/** Where the segment of a place begins. */
export const startOf = (place: string, segmentBytes: number): bigint =>
  (BigInt(`0x${place.slice(0, 8)}`) << 32n) + BigInt(`0x${place.slice(8)}`) * BigInt(segmentBytes);

const hex8 = (part: bigint): string => part.toString(16).toUpperCase().padStart(8, '0');
