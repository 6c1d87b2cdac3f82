/**
 * What became of every nominal tick of a schedule. Each tick gets exactly one outcome, so that "expected minus accounted"
 * is nothing but a sum over rows.
 */
export interface TickHistory {
  /** Nominal ticks, ms since the epoch, in order. */
  readonly ticks: readonly number[];
  readonly runs: readonly TickRun[];
  readonly pauses: readonly Pause[];
}

export interface TickRun {
  readonly runId: string;
  readonly nominalAtMs: number;
  /** When Temporal made it. */
  readonly madeAtMs: number;
  /** When it was over; null while it goes on. */
  readonly endedAtMs: number | null;
  /** Why it did nothing; null when it did its work, well or badly. */
  readonly skipped: string | null;
}

export interface Pause {
  readonly fromMs: number;
  /** null while it lasts. */
  readonly untilMs: number | null;
  readonly note: string;
}

export const TICK_OUTCOMES = ['ran', 'skipped', 'missed', 'paused'] as const;
export type TickOutcome = (typeof TICK_OUTCOMES)[number];

export interface AccountedTick {
  readonly nominalAtMs: number;
  readonly outcome: TickOutcome;
  readonly runId: string | null;
  /** How long after its tick the run was made, s. */
  readonly lateSeconds: number | null;
  readonly detail: string | null;
}

/** One outcome for each tick, in their order. Pure. */
export function accountTicks({ ticks, runs, pauses }: TickHistory): AccountedTick[] {
  const made = new Map(runs.map((run) => [run.nominalAtMs, run]));
  return ticks.map((nominalAtMs) => {
    const run = made.get(nominalAtMs);
    return run === undefined ? withoutRun(nominalAtMs, runs, pauses) : withRun(run);
  });
}

const withRun = ({ runId, nominalAtMs, madeAtMs, skipped }: TickRun): AccountedTick => ({
  nominalAtMs,
  outcome: skipped === null ? 'ran' : 'skipped',
  runId,
  lateSeconds: Math.max(0, madeAtMs - nominalAtMs) / 1000,
  detail: skipped,
});

/** A pause explains it before an overlap does: while paused nothing would have been started anyway. */
function withoutRun(atMs: number, runs: readonly TickRun[], pauses: readonly Pause[]): AccountedTick {
  const none = { nominalAtMs: atMs, runId: null, lateSeconds: null };
  const pause = pauses.find(({ fromMs, untilMs }) => fromMs <= atMs && (untilMs === null || atMs < untilMs));
  if (pause !== undefined) return { ...none, outcome: 'paused', detail: pause.note };
  const before = runs.find(({ madeAtMs, endedAtMs }) => madeAtMs <= atMs && (endedAtMs === null || atMs < endedAtMs));
  if (before !== undefined)
    return { ...none, outcome: 'skipped', runId: before.runId, detail: 'the run before it still went on' };
  return { ...none, outcome: 'missed', detail: null };
}
