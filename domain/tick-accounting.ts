/**
 * What became of every nominal tick of a schedule. Each tick gets exactly one outcome, so that "expected minus accounted"
 * is nothing but a sum over rows.
 */
export interface TickHistory {
  /** In order of their times. */
  readonly ticks: readonly NominalTick[];
  readonly runs: readonly TickRun[];
  readonly pauses: readonly Pause[];
  /** Whatever Temporal has started before this moment is among `runs`, ms since the epoch. */
  readonly seenUntilMs: number;
}

/** A tick, with what its schedule was declared to be at that time. */
export interface NominalTick {
  /** ms since the epoch. */
  readonly atMs: number;
  readonly overlap: 'skip' | 'buffer-one';
  readonly catchUpSeconds: number;
}

export interface TickRun {
  readonly runId: string;
  readonly nominalAtMs: number;
  /** When Temporal made it. */
  readonly madeAtMs: number;
  /** When a worker took it up; null while it waits for one, or when it found nothing to do. */
  readonly beganAtMs: number | null;
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

/**
 * `due`: nothing has started it yet, and its catch-up window is open. `waiting`: it is started, and waits for a worker or
 * its turn. Those two are of the moment and are judged again; the others are for good.
 */
export const TICK_OUTCOMES = ['ran', 'skipped', 'missed', 'paused', 'waiting', 'due'] as const;
export type TickOutcome = (typeof TICK_OUTCOMES)[number];

export interface AccountedTick {
  readonly nominalAtMs: number;
  readonly outcome: TickOutcome;
  readonly runId: string | null;
  /** How long after its tick a worker took the run up, s; null when none did. */
  readonly lateSeconds: number | null;
  readonly detail: string | null;
}

/** Lateness that has a reason worth telling, ms: below it is what a healthy system takes. */
const WORTH_TELLING_MS = 5_000;

/** One outcome for each tick, in their order. Pure. */
export function accountTicks({ ticks, runs, pauses, seenUntilMs }: TickHistory): AccountedTick[] {
  const made = new Map(runs.map((run) => [run.nominalAtMs, run]));
  const turns = new Set(runs.flatMap((run) => runBefore(runs, run.nominalAtMs)?.runId ?? []));
  return ticks.map((tick) => {
    const run = made.get(tick.atMs);
    if (run !== undefined) return withRun(run);
    const none = { nominalAtMs: tick.atMs, runId: null, lateSeconds: null };
    // A pause explains it before an overlap does: while paused nothing would have been started anyway.
    const pause = pauses.find(({ fromMs, untilMs }) => fromMs <= tick.atMs && isBefore(tick.atMs, untilMs));
    if (pause !== undefined) return { ...none, outcome: 'paused', detail: pause.note };
    const before = runBefore(runs, tick.atMs);
    if (before !== undefined && (tick.overlap === 'skip' || turns.has(before.runId))) return letGo(tick, before);
    if (before?.endedAtMs === null) {
      turns.add(before.runId);
      return { ...none, outcome: 'waiting', detail: `waits for the end of run ${before.runId}` };
    }
    return tick.atMs + tick.catchUpSeconds * 1000 < seenUntilMs
      ? { ...none, outcome: 'missed', detail: null }
      : { ...none, outcome: 'due', detail: 'nothing has started it yet' };
  });
}

/**
 * From the tick it was made for until its end a run stands for the ticks in between. One that was late has made up for
 * those that came before it was made: Temporal looks at all of them at once, starts the first, and lets the others go.
 */
const runBefore = (runs: readonly TickRun[], atMs: number): TickRun | undefined =>
  runs.find(({ nominalAtMs, endedAtMs }) => nominalAtMs < atMs && isBefore(atMs, endedAtMs));

const isBefore = (atMs: number, endMs: number | null): boolean => endMs === null || atMs < endMs;

const letGo = ({ atMs }: NominalTick, { runId, madeAtMs }: TickRun): AccountedTick => ({
  nominalAtMs: atMs,
  outcome: 'skipped',
  runId,
  lateSeconds: null,
  detail: atMs <= madeAtMs ? 'made up for by the run before it, which was late' : 'the run before it still went on',
});

function withRun({ runId, nominalAtMs, madeAtMs, beganAtMs, endedAtMs, skipped }: TickRun): AccountedTick {
  const of = { nominalAtMs, runId };
  const takenUpAtMs = beganAtMs ?? endedAtMs;
  if (takenUpAtMs === null) return { ...of, outcome: 'waiting', lateSeconds: null, detail: 'waits for a worker' };
  const lateSeconds = Math.max(0, takenUpAtMs - nominalAtMs) / 1000;
  if (skipped !== null) return { ...of, outcome: 'skipped', lateSeconds, detail: skipped };
  return { ...of, outcome: 'ran', lateSeconds, detail: whyLate(nominalAtMs, madeAtMs, takenUpAtMs) };
}

function whyLate(nominalAtMs: number, madeAtMs: number, takenUpAtMs: number): string | null {
  const parts = [
    [madeAtMs - nominalAtMs, (s: string) => `started ${s} late`],
    [takenUpAtMs - madeAtMs, (s: string) => `waited ${s} for a worker`],
  ] as const;
  const told = parts
    .filter(([ms]) => ms >= WORTH_TELLING_MS)
    .map(([ms, say]) => say(`${String(Math.round(ms / 1000))} s`));
  return told.length === 0 ? null : told.join(', ');
}
