/**
 * Nominal ticks of a control loop: multiples of the interval plus an offset of its own, so that the loops of one
 * deployment do not all start at the same moment, and a loop that was restarted ticks where it ticked before.
 */

/** Offset of a root's ticks, ms, 0 <= offset < interval: a hash of its id, spread over the interval. */
export function tickOffsetMs(rootFeederId: string, intervalMs: number): number {
  return Math.floor((spreadHash(rootFeederId) / 2 ** 32) * intervalMs);
}

/** First tick strictly after `afterMs`, ms since the epoch. */
export function nextTickMs(afterMs: number, intervalMs: number, rootFeederId: string): number {
  const offsetMs = tickOffsetMs(rootFeederId, intervalMs);
  return Math.floor((afterMs - offsetMs) / intervalMs) * intervalMs + offsetMs + intervalMs;
}

/** Ticks between the last one that was served and this one that nobody served; >= 0. */
export function missedTicks(previousTickMs: number, tickMs: number, intervalMs: number): number {
  return Math.max(0, Math.round((tickMs - previousTickMs) / intervalMs) - 1);
}

/**
 * 32-bit FNV-1a over the UTF-16 code units, then MurmurHash3's finalizer: FNV alone leaves ids that differ in their
 * last character, as feeder ids do, within a few thousandths of each other.
 */
function spreadHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
