/** A stored copy as retention sees it. */
export interface AgedCopy {
  readonly id: string;
  /** ms since the epoch. */
  readonly takenAtMs: number;
  /** It was proven: brought back from storage and started. */
  readonly isProven: boolean;
}

export interface Removal {
  readonly id: string;
  /** The newer proven copy that lets it go. */
  readonly because: string;
}

/**
 * Which copies may go: those older than `keepDays`, but never the newest proven one, and none at all while the newest
 * copy is not proven: then something is wrong, and an old copy may be the one that is needed.
 */
export function removableByAge(copies: readonly AgedCopy[], nowMs: number, keepDays: number): Removal[] {
  const newest = copies.reduce<AgedCopy | null>(
    (best, copy) => (best === null || isNewer(copy, best) ? copy : best),
    null,
  );
  if (newest?.isProven !== true) return [];
  const cutMs = nowMs - keepDays * 86_400_000;
  return copies
    .filter(({ id, takenAtMs }) => id !== newest.id && takenAtMs < cutMs)
    .map(({ id }) => ({ id, because: newest.id }));
}

/** Of two copies of one moment the proven one counts as newer. */
const isNewer = (copy: AgedCopy, other: AgedCopy): boolean =>
  copy.takenAtMs > other.takenAtMs || (copy.takenAtMs === other.takenAtMs && copy.isProven && !other.isProven);
