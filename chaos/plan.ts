import { between, randomStream, type Random } from '../simulator/physics/random';

/** What is done to a component; `cut` and `stall` to the network between two. */
export type FaultKind = 'kill' | 'kill-parent' | 'hang' | 'restart' | 'cut' | 'stall';

/** One fault of a plan; times in seconds from the plan's beginning. */
export interface PlannedFault {
  readonly target: string;
  readonly kind: FaultKind;
  readonly atSeconds: number;
  /** Until it is mended; a restart is over as soon as it is done. */
  readonly forSeconds: number;
}

/** A component, and what may be done to it. */
export interface Target {
  readonly name: string;
  readonly kinds: readonly FaultKind[];
}

/** Between the beginnings of two faults, s. */
const PAUSE_SECONDS = [1.5, 7] as const;
/** How long a fault lasts, s: shorter and longer than what our programs take for an outage. */
const SHORT_SECONDS = [0.5, 4] as const;
const LONG_SECONDS = [6, 20] as const;
const LONG_SHARE = 0.3;
/** At most so many parts are away at once: what is promised of pairs is in docs/degraded-mode.md. */
const MOST_AT_ONCE = 2;

/**
 * The same faults for the same seed, length and targets.
 *
 * Dealt like cards: each kind of fault of each target comes once before any comes again, so that a short plan is not all
 * of one kind. None begins that would not be over by the end.
 */
export function makePlan(seed: number, seconds: number, targets: readonly Target[]): PlannedFault[] {
  const random = randomStream(seed, 'plan');
  const deck = dealer(
    targets.flatMap(({ name, kinds }) => kinds.map((kind) => ({ target: name, kind }))),
    random,
  );
  const plan: PlannedFault[] = [];
  for (let at = between(random, PAUSE_SECONDS); at < seconds; at += between(random, PAUSE_SECONDS)) {
    const atSeconds = rounded(at);
    const under = plan.filter((fault) => endOf(fault) > atSeconds);
    const longest = seconds - atSeconds;
    const length = between(random, random() < LONG_SHARE ? LONG_SECONDS : SHORT_SECONDS);
    if (under.length >= MOST_AT_ONCE || longest < SHORT_SECONDS[0]) continue;
    const card = deck.next((each) => !under.some(({ target }) => related(target, each.target)));
    if (card === null) continue;
    const forSeconds = card.kind === 'restart' ? 0 : rounded(Math.min(length, longest));
    plan.push({ ...card, atSeconds, forSeconds });
  }
  return plan;
}

export const endOf = ({ atSeconds, forSeconds }: PlannedFault): number => atSeconds + forSeconds;

/** One line per fault, as it is printed before it is carried out. */
export const toldPlan = (plan: readonly PlannedFault[]): string[] =>
  plan.map(({ target, kind, atSeconds, forSeconds }) => {
    const length = kind === 'restart' ? '' : ` for ${forSeconds.toFixed(1)} s`;
    return `${atSeconds.toFixed(1).padStart(6)} s  ${kind.padEnd(11)} ${target}${length}`;
  });

interface Card {
  readonly target: string;
  readonly kind: FaultKind;
}

/** Gives the first card that fits; when none is left the whole pack is shuffled again. */
function dealer(pack: readonly Card[], random: Random) {
  let left: Card[] = [];
  return {
    next(fits: (card: Card) => boolean): Card | null {
      if (!left.some(fits)) left = [...left, ...shuffled(pack, random)];
      const index = left.findIndex(fits);
      return index < 0 ? null : (left.splice(index, 1)[0] ?? null);
    },
  };
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const keyed = items.map((item) => ({ item, key: random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}

/** `worker-1` and `worker-1/control` are one process tree: what is done to one of them is done to both. */
const related = (a: string, b: string): boolean => a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);

const rounded = (seconds: number): number => Math.round(seconds * 10) / 10;
