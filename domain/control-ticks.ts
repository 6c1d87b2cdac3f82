/**
 * Nominal ticks of a loop: the moments k × interval + offset, with an offset that a hash of the root feeder gives, so
 * that many loops do not fire together, and one loop keeps its beat across restarts and clocks.
 */

/** FNV-1a, 32 bit: spreads similar ids; http://www.isthe.com/chongo/tech/comp/fnv/ */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** Offset of a root's ticks within the interval, ms, 0 <= offset < intervalMs. */
export function tickOffsetMs(rootFeederId: string, intervalMs: number): number {
  let hash = FNV_OFFSET;
  for (let index = 0; index < rootFeederId.length; index += 1) {
    hash = Math.imul(hash ^ rootFeederId.charCodeAt(index), FNV_PRIME) >>> 0;
  }
  return hash % intervalMs;
}

/** The first nominal tick after `afterMs`. */
export function nextTickMs(afterMs: number, intervalMs: number, rootFeederId: string): number {
  const offset = tickOffsetMs(rootFeederId, intervalMs);
  return (Math.floor((afterMs - offset) / intervalMs) + 1) * intervalMs + offset;
}

/** The last nominal tick at or before `atMs`. */
export const tickAtOrBeforeMs = (atMs: number, intervalMs: number, rootFeederId: string): number =>
  nextTickMs(atMs, intervalMs, rootFeederId) - intervalMs;

/** Nominal ticks strictly between two that were planned for. */
export const missedTicks = (previousTickMs: number, tickMs: number, intervalMs: number): number =>
  Math.max(0, Math.round((tickMs - previousTickMs) / intervalMs) - 1);
