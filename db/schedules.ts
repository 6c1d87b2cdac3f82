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
  /** Every tick up to here has its row. */
  readonly auditedUntilMs: number;
}

/**
 * Makes the rows of the schedules be as they are declared. A new one, or one that comes back, holds from now on; one that
 * changes keeps what it was until `takeEffect`; those that are no more are marked, and keep their history.
 */
export const declareSchedules = (db: Database, wanted: readonly ScheduleDeclared[]): Promise<void> =>
  db.transaction(async (tx) => {
    await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', ['schedules']);
    const there = new Map((await listSchedules(tx)).map((schedule) => [schedule.scheduleId, schedule]));
    for (const schedule of wanted) {
      const was = there.get(schedule.scheduleId);
      if (was !== undefined && isSame(was, schedule)) continue;
      await tx.query(
        `insert into schedules (schedule_id, job_name, cron, overlap, catch_up_seconds) values ($1, $2, $3, $4, $5)
         on conflict (schedule_id) do update
            set job_name = excluded.job_name, cron = excluded.cron, overlap = excluded.overlap,
                catch_up_seconds = excluded.catch_up_seconds, retired_at = null`,
        [schedule.scheduleId, schedule.jobName, schedule.cron, schedule.overlap, schedule.catchUpSeconds],
      );
      if (was === undefined) await beginSpan(tx, schedule.scheduleId, null);
    }
    const retired = [...there.keys()].filter((id) => !wanted.some(({ scheduleId }) => scheduleId === id));
    await tx.query('update schedules set retired_at = now() where schedule_id = any($1)', [retired]);
    await tx.query(
      'update schedule_spans set until_at = greatest(from_at, now()) where schedule_id = any($1) and until_at is null',
      [retired],
    );
  });

/**
 * Temporal has the schedule as it is declared, since `sinceMs` by its own clock: from then on its ticks are held against
 * the new times, and those before it against the old. Harmless to repeat.
 */
export const takeEffect = (db: Database, scheduleId: string, sinceMs: number): Promise<void> =>
  db.transaction(async (tx) => {
    await tx.query('select 1 from schedules where schedule_id = $1 for update', [scheduleId]);
    const { rows } = await tx.query<{ until_at: Date }>(
      `update schedule_spans p
          set until_at = greatest(p.from_at + interval '1 ms', least(to_timestamp($2::double precision / 1000), now()))
         from schedules s
        where s.schedule_id = $1 and p.schedule_id = $1 and p.until_at is null
          and (p.cron, p.overlap, p.catch_up_seconds) is distinct from (s.cron, s.overlap, s.catch_up_seconds)
        returning p.until_at`,
      [scheduleId, sinceMs],
    );
    const [ended] = rows;
    if (ended !== undefined) await beginSpan(tx, scheduleId, ended.until_at);
  });

const beginSpan = (tx: Queryable, scheduleId: string, from: Date | null): Promise<unknown> =>
  tx.query(
    `insert into schedule_spans (schedule_id, from_at, cron, overlap, catch_up_seconds)
     select schedule_id, coalesce($2, now()), cron, overlap, catch_up_seconds from schedules where schedule_id = $1`,
    [scheduleId, from],
  );

/** What a schedule was from `fromMs` until `untilMs`, ms since the epoch; null while it holds. */
export interface ScheduleSpan extends Pick<ScheduleDeclared, 'scheduleId' | 'cron' | 'overlap' | 'catchUpSeconds'> {
  readonly fromMs: number;
  readonly untilMs: number | null;
}

/** Spans that reach into the time after `sinceMs`, in their order; of one schedule, or of all. */
export async function listSpans(db: Queryable, sinceMs: number, scheduleId?: string): Promise<ScheduleSpan[]> {
  const { rows } = await db.query<{
    schedule_id: string;
    from_at: Date;
    until_at: Date | null;
    cron: string;
    overlap: ScheduleDeclared['overlap'];
    catch_up_seconds: number;
  }>(
    `select schedule_id, from_at, until_at, cron, overlap, catch_up_seconds from schedule_spans
      where coalesce(until_at, 'infinity') > to_timestamp($1::double precision / 1000)
        and ($2::text is null or schedule_id = $2)
      order by schedule_id, from_at`,
    [sinceMs, scheduleId ?? null],
  );
  return rows.map((row) => ({
    scheduleId: row.schedule_id,
    fromMs: row.from_at.getTime(),
    untilMs: row.until_at?.getTime() ?? null,
    cron: row.cron,
    overlap: row.overlap,
    catchUpSeconds: row.catch_up_seconds,
  }));
}

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
