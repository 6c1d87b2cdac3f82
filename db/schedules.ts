import type { Pause, TickOutcome } from '../domain/tick-accounting';
import type { Database, Queryable } from './pool';

/** A schedule as this deployment declares it. */
export interface ScheduleDeclared {
  readonly scheduleId: string;
  /** null: the supervisor, which is no job. */
  readonly jobName: string | null;
  readonly cron: string;
  readonly overlap: 'skip' | 'buffer-one';
  readonly catchUpSeconds: number;
}

export interface ScheduleRecord extends ScheduleDeclared {
  readonly declaredAt: string;
  readonly auditedUntilMs: number;
}

/**
 * Makes the rows of the schedules be as they are declared; those that are no more are marked, and keep their history.
 * One that comes back is accounted for from then on.
 *
 * @param beforeChange called for a schedule whose times change, to account for its ticks by the times they had.
 */
export const declareSchedules = (
  db: Database,
  wanted: readonly ScheduleDeclared[],
  beforeChange: (tx: Queryable, was: ScheduleRecord) => Promise<void>,
): Promise<void> =>
  db.transaction(async (tx) => {
    await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', ['schedules']);
    const there = new Map((await listSchedules(tx)).map((schedule) => [schedule.scheduleId, schedule]));
    for (const schedule of wanted) {
      const was = there.get(schedule.scheduleId);
      if (was !== undefined && isSame(was, schedule)) continue;
      if (was !== undefined) await beforeChange(tx, was);
      await tx.query(
        `insert into schedules (schedule_id, job_name, cron, overlap, catch_up_seconds) values ($1, $2, $3, $4, $5)
         on conflict (schedule_id) do update
            set job_name = excluded.job_name, cron = excluded.cron, overlap = excluded.overlap,
                catch_up_seconds = excluded.catch_up_seconds, audited_until = now(), times_since = now(),
                retired_at = null`,
        [schedule.scheduleId, schedule.jobName, schedule.cron, schedule.overlap, schedule.catchUpSeconds],
      );
    }
    const retired = [...there.values()].filter(
      (was) => !wanted.some(({ scheduleId }) => scheduleId === was.scheduleId),
    );
    for (const was of retired) {
      await beforeChange(tx, was);
      await tx.query('update schedules set retired_at = now() where schedule_id = $1', [was.scheduleId]);
    }
  });

const isSame = (was: ScheduleDeclared, is: ScheduleDeclared): boolean =>
  was.cron === is.cron &&
  was.overlap === is.overlap &&
  was.catchUpSeconds === is.catchUpSeconds &&
  was.jobName === is.jobName;

/** Those that this deployment has, by their ids. */
export async function listSchedules(db: Queryable): Promise<ScheduleRecord[]> {
  const { rows } = await db.query<{
    schedule_id: string;
    job_name: string | null;
    cron: string;
    overlap: ScheduleDeclared['overlap'];
    catch_up_seconds: number;
    declared_at: Date;
    audited_until: Date;
  }>(
    `select schedule_id, job_name, cron, overlap, catch_up_seconds, declared_at, audited_until
       from schedules where retired_at is null order by schedule_id`,
  );
  return rows.map((row) => ({
    scheduleId: row.schedule_id,
    jobName: row.job_name,
    cron: row.cron,
    overlap: row.overlap,
    catchUpSeconds: row.catch_up_seconds,
    declaredAt: row.declared_at.toISOString(),
    auditedUntilMs: row.audited_until.getTime(),
  }));
}

/** What a schedule was seen to be; a change of it begins or ends a pause. @returns whether anything changed. */
export async function recordPause(
  tx: Queryable,
  { scheduleId, paused, note }: { readonly scheduleId: string; readonly paused: boolean; readonly note: string },
): Promise<boolean> {
  const { rowCount } = paused
    ? await tx.query(
        `insert into schedule_pauses (schedule_id, paused_at, note)
         select schedule_id, now(), $2 from schedules s where schedule_id = $1
            and not exists (select 1 from schedule_pauses p where p.schedule_id = s.schedule_id and resumed_at is null)`,
        [scheduleId, note],
      )
    : await tx.query('update schedule_pauses set resumed_at = now() where schedule_id = $1 and resumed_at is null', [
        scheduleId,
      ]);
  return rowCount !== 0;
}

/** Pauses that reach into the time after `sinceMs`. */
export async function listPauses(db: Queryable, scheduleId: string, sinceMs: number): Promise<Pause[]> {
  const { rows } = await db.query<{ paused_at: Date; resumed_at: Date | null; note: string }>(
    `select paused_at, resumed_at, note from schedule_pauses
      where schedule_id = $1 and coalesce(resumed_at, 'infinity') > to_timestamp($2::double precision / 1000)
      order by paused_at`,
    [scheduleId, sinceMs],
  );
  return rows.map((row) => ({
    fromMs: row.paused_at.getTime(),
    untilMs: row.resumed_at?.getTime() ?? null,
    note: row.note,
  }));
}

export interface ScheduleTick {
  readonly nominalAt: string;
  readonly outcome: TickOutcome;
  readonly runId: string | null;
  readonly lateSeconds: number | null;
  readonly detail: string | null;
}

/** The newest ticks that are accounted for, newest first. */
export async function listTicks(db: Queryable, scheduleId: string, limit: number): Promise<ScheduleTick[]> {
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
    nominalAt: row.nominal_at.toISOString(),
    outcome: row.outcome,
    runId: row.run_id,
    lateSeconds: row.late_seconds,
    detail: row.detail,
  }));
}
