/**
 * Which node of a PostgreSQL cluster may be written to. `pg_is_in_recovery()` alone is fooled: a primary that hung while its
 * standby was promoted still says that it is one when it wakes up. Each promotion begins a new timeline, so the primary
 * of the highest timeline that was ever seen is the one, and every other is stale.
 */
export interface NodeSeen {
  readonly name: string;
  /** `fenced`: not a standby, and refuses writes all the same. */
  readonly state: 'unreachable' | 'standby' | 'fenced' | 'primary';
  /** The highest that it knows of; 0 while nothing is known. */
  readonly timeline: number;
}

/** What must be remembered, on disk too: a check that was started anew must not be fooled either. */
export interface PrimaryKnown {
  /** The highest timeline that was ever seen; 0: none. */
  readonly timeline: number;
  /** The primary of that timeline; null while nobody was seen to be. */
  readonly node: string | null;
}

export const NOTHING_KNOWN: PrimaryKnown = { timeline: 0, node: null };

/** The node that may be written to, or null; and what is known from now on. */
export function choosePrimary(
  seen: readonly NodeSeen[],
  known: PrimaryKnown,
): { readonly primary: string | null; readonly known: PrimaryKnown } {
  const timeline = Math.max(known.timeline, ...seen.map((node) => node.timeline));
  const holder = timeline === known.timeline ? known.node : null;
  const claimants = seen.filter((node) => node.state === 'primary' && node.timeline === timeline);
  // Two of one timeline were promoted side by side: only the one that was seen first, if any, is believed.
  const believed =
    holder === null
      ? claimants.length === 1
        ? claimants[0]
        : undefined
      : claimants.find(({ name }) => name === holder);
  return { primary: believed?.name ?? null, known: { timeline, node: believed?.name ?? holder } };
}
