import type { JobRunState } from '../domain/job-run';
import type { AccountedTick, TickOutcome } from '../domain/tick-accounting';
import type { Queryable } from './pool';
import { listSpans, type ScheduleRecord } from './schedules';
import { judgeTicks, tickOf, type OpenScheduledRun } from './tick-judgement';

/** What has been started before this is seen by now, ms: until then a tick is `due` at worst. */
const SEEN_AFTER_MS = 60_000;

export interface ScheduleTick {
  readonly nominalAt: string;
  readonly outcome: TickOutcome;
  readonly runId: string | null;
  /** How its run stands; null without one, or when its row has gone. */
  readonly runState: JobRunState | null;
  readonly lateSeconds: number | null;
  readonly detail: string | null;
}

/** The newest nominal ticks of a cron expression up to `untilMs`. */
export type PreviousTicks = (cron: string, untilMs: number, count: number) => readonly number[];

/**
 * The newest ticks of a schedule, newest first, up to now: what the audit has not come to yet is judged as it is at this
 * moment, by the same rules.
 */
export async function readTicks(
  db: Queryable,
  schedule: ScheduleRecord,
  {
    previousTicks,
    open,
    nowMs,
    limit,
  }: {
    readonly previousTicks: PreviousTicks;
    readonly open: readonly OpenScheduledRun[];
    readonly nowMs: number;
    readonly limit: number;
  },
): Promise<ScheduleTick[]> {
  const { scheduleId, auditedUntilMs } = schedule;
  const stored = await storedTicks(db, scheduleId, limit);
  const settled = stored.filter(({ outcome }) => outcome !== 'waiting' && outcome !== 'due');
  const known = new Set(settled.map(({ nominalAtMs }) => nominalAtMs));
  const again = new Set(stored.filter((tick) => !settled.includes(tick)).map(({ nominalAtMs }) => nominalAtMs));
  const sinceMs = Math.min(auditedUntilMs, ...again);
  const ticks = (await listSpans(db, sinceMs, scheduleId))
    .flatMap((span) =>
      previousTicks(span.cron, Math.min(nowMs, span.untilMs ?? nowMs), limit)
        .filter((atMs) => atMs > span.fromMs && (atMs > auditedUntilMs || again.has(atMs)) && !known.has(atMs))
        .map((atMs) => tickOf(span, atMs)),
    )
    .sort((a, b) => a.atMs - b.atMs);
  const judged = await judgeTicks(db, scheduleId, { ticks, open, seenUntilMs: nowMs - SEEN_AFTER_MS });
  const newest = [...settled, ...judged].sort((a, b) => b.nominalAtMs - a.nominalAtMs).slice(0, limit);
  const runs = await runsOf(db, newest);
  return newest.map((tick) => viewOf(tick, runs.get(tick.runId ?? '')));
}

async function storedTicks(db: Queryable, scheduleId: string, limit: number): Promise<AccountedTick[]> {
  const { rows } = await db.query<{
    nominal_at: Date;
    outcome: TickOutcome;
    run_id: string | null;
    late_seconds: number | null;
    detail: string | null;
  }>(
    `select nominal_at, outcome, run_id, late_seconds, detail from schedule_ticks
      where schedule_id = $1 order by nominal_at desc limit $2`,
    [scheduleId, limit],
  );
  return rows.map((row) => ({
    nominalAtMs: row.nominal_at.getTime(),
    outcome: row.outcome,
    runId: row.run_id,
    lateSeconds: row.late_seconds,
    detail: row.detail,
  }));
}

interface RunEnd {
  readonly state: JobRunState;
  readonly failure: string | null;
}

async function runsOf(db: Queryable, ticks: readonly AccountedTick[]): Promise<ReadonlyMap<string, RunEnd>> {
  const ids = ticks.flatMap(({ runId }) => runId ?? []);
  const { rows } = await db.query<{ run_id: string; state: JobRunState; failure: string | null }>(
    `select run_id, state, (failure ->> 'code') || ', ' || (failure ->> 'message') as failure
       from job_runs where run_id = any($1)`,
    [ids],
  );
  return new Map(rows.map(({ run_id: runId, state, failure }) => [runId, { state, failure }]));
}

/** A tick that ran says how its run ended: that it was started in time is half of the story. */
function viewOf({ nominalAtMs, outcome, ...tick }: AccountedTick, run: RunEnd | undefined): ScheduleTick {
  const failure = outcome === 'ran' && run?.state !== 'succeeded' ? (run?.failure ?? null) : null;
  const details = [tick.detail, failure].filter((text) => text !== null);
  return {
    nominalAt: new Date(nominalAtMs).toISOString(),
    outcome,
    runId: tick.runId,
    runState: run?.state ?? null,
    lateSeconds: tick.lateSeconds,
    detail: details.length === 0 ? null : details.join('; '),
  };
}
