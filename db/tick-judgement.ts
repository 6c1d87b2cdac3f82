import { accountTicks, type AccountedTick, type NominalTick, type TickRun } from '../domain/tick-accounting';
import type { Queryable } from './pool';
import { listPauses } from './schedule-pauses';
import type { ScheduleSpan } from './schedules';

/** A run that Temporal has open and no worker has taken up: it has no row yet. */
export interface OpenScheduledRun {
  readonly runId: string;
  readonly scheduleId: string;
  readonly nominalAtMs: number;
  readonly startedAtMs: number;
}

/** The tick of a span at that time. */
export const tickOf = ({ overlap, catchUpSeconds }: ScheduleSpan, atMs: number): NominalTick => ({
  atMs,
  overlap,
  catchUpSeconds,
});

/** What became of these ticks of one schedule, by the rows and by what Temporal has open; writes nothing. */
export async function judgeTicks(
  db: Queryable,
  scheduleId: string,
  {
    ticks,
    open,
    seenUntilMs,
  }: {
    readonly ticks: readonly NominalTick[];
    readonly open: readonly OpenScheduledRun[];
    readonly seenUntilMs: number;
  },
): Promise<AccountedTick[]> {
  const [first] = ticks;
  if (first === undefined) return [];
  const begun = await runsSince(db, scheduleId, first.atMs);
  const known = new Set(begun.map(({ runId }) => runId));
  const waiting = open.filter((run) => run.scheduleId === scheduleId && !known.has(run.runId)).map(asWaiting);
  return accountTicks({
    ticks,
    runs: [...begun, ...waiting].sort((a, b) => a.nominalAtMs - b.nominalAtMs),
    pauses: await listPauses(db, scheduleId, first.atMs),
    seenUntilMs,
  });
}

const asWaiting = ({ runId, nominalAtMs, startedAtMs }: OpenScheduledRun): TickRun => ({
  runId,
  nominalAtMs,
  madeAtMs: startedAtMs,
  beganAtMs: null,
  endedAtMs: null,
  skipped: null,
});

/** Runs made for ticks since then, and those that went on then. */
async function runsSince(db: Queryable, scheduleId: string, sinceMs: number): Promise<TickRun[]> {
  const { rows } = await db.query<{
    run_id: string;
    nominal_at: Date;
    requested_at: Date;
    started_at: Date | null;
    finished_at: Date | null;
    skipped: string | null;
  }>(
    `select run_id, nominal_at, requested_at, started_at, finished_at,
            case when state = 'skipped' then coalesce(failure ->> 'message', 'skipped') end as skipped
       from job_runs
      where schedule_id = $1 and nominal_at is not null
        and (nominal_at >= to_timestamp($2::double precision / 1000)
             or coalesce(finished_at, 'infinity') >= to_timestamp($2::double precision / 1000))
      order by nominal_at`,
    [scheduleId, sinceMs],
  );
  return rows.map((row) => ({
    runId: row.run_id,
    nominalAtMs: row.nominal_at.getTime(),
    madeAtMs: row.requested_at.getTime(),
    beganAtMs: row.started_at?.getTime() ?? null,
    endedAtMs: row.finished_at?.getTime() ?? null,
    skipped: row.skipped,
  }));
}
