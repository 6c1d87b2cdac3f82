import type { ProvenNewest } from './removable-backups';

/** Half of a backup as it lies in storage: content without a manifest, or a manifest whose content is not there. */
export interface Remains {
  readonly key: string;
  /** When storage completed it, ms since the epoch. */
  readonly storedAtMs: number;
}

/** No backup takes nearly as long, whatever its retries: what is older was left by one that is over. */
const LEFT_FOR_MS = 7 * 86_400_000;

/**
 * Which remains of backups that were never finished may go: those of a week ago and more, and only while a newer backup
 * is proven; without one they might be all there is.
 */
export function sweepableRemains(
  remains: readonly Remains[],
  newest: ProvenNewest | null,
  nowMs: number,
): (Remains & { readonly because: ProvenNewest['because'] })[] {
  if (newest === null) return [];
  const before = Math.min(nowMs - LEFT_FOR_MS, newest.takenAtMs);
  return remains
    .filter(({ storedAtMs }) => storedAtMs < before)
    .map((remain) => ({ ...remain, because: newest.because }));
}
