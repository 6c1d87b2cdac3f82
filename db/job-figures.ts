import type { FinishedState } from '../domain/job-run';
import type { Queryable } from './pool';
import { listSchedules, listSpans, type ScheduleRecord, type ScheduleSpan } from './schedules';

/** What metrics and health tell of jobs; ages at the moment of reading. */
export interface JobFigures {
  readonly readAtMs: number;
  /** Age of the last success; before the first, of the first declaration of any schedule. By job. */
  readonly successes: readonly {
    readonly jobName: string;
    readonly ageSeconds: number;
    readonly succeeded: boolean;
    /** The exception of its promise that the newest run that was carried out has found to hold; null: none. */
    readonly exception: { readonly name: string; readonly ageSeconds: number } | null;
  }[];
  readonly outcomes: readonly { readonly jobName: string; readonly state: FinishedState; readonly count: number }[];
  /** Runs that wait for a worker, or whose worker is silent. */
  readonly waiting: readonly WaitingRun[];
  readonly ticks: readonly ScheduleFigures[];
}

export interface WaitingRun {
  readonly runId: string;
  readonly jobName: string;
  readonly workflowId: string;
  readonly input: unknown;
  readonly stepsDone: readonly string[];
  readonly sinceMs: number;
}

export interface ScheduleFigures extends ScheduleRecord {
  /** What it was in the window that is looked at, in their order. */
  readonly spans: readonly ScheduleSpan[];
  /** Every tick after the first and up to the second has to have its row, ms since the epoch. */
  readonly window: { readonly fromMs: number; readonly untilMs: number };
  /** Rows of ticks in the window. */
  readonly accounted: number;
  /** Of all time; for good. */
  readonly missed: number;
  readonly lastLateSeconds: number | null;
}

/** A worker that has said nothing for this long does not work on the run, s. */
const SILENT_SECONDS = 10;

/** Ticks after `fromMs` are looked at, up to `untilMs`, or as far as the audit says that it has come. */
export async function readJobFigures(
  db: Queryable,
  jobNames: readonly string[],
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
): Promise<JobFigures> {
  const [successes, outcomes, waiting, ticks] = [
    await readSuccesses(db, jobNames),
    await readOutcomes(db),
    await readWaiting(db),
    await readTicks(db, fromMs, untilMs),
  ];
  return { readAtMs: Date.now(), successes, outcomes, waiting, ticks };
}

async function readSuccesses(db: Queryable, jobNames: readonly string[]): Promise<JobFigures['successes']> {
  const { rows } = await db.query<{
    job_name: string;
    age: number;
    succeeded: boolean;
    exception: string | null;
    exception_age: number;
  }>(
    `select j.job_name, extract(epoch from now() - coalesce(last.finished_at, s.declared_at, f.first, now()))::float8 as age,
            last.finished_at is not null as succeeded, newest.exception,
            extract(epoch from now() - newest.finished_at)::float8 as exception_age
       from unnest($1::text[]) as j (job_name)
       left join schedules s on s.job_name = j.job_name
       cross join (select min(declared_at) as first from schedules) f
       left join lateral (select finished_at from job_runs r
                           where r.job_name = j.job_name and r.state = 'succeeded'
                           order by finished_at desc limit 1) last on true
       left join lateral (select finished_at, failure ->> 'exception' as exception from job_runs r
                           where r.job_name = j.job_name and r.state in ('succeeded', 'failed', 'skipped')
                             and failure ->> 'code' is distinct from 'JOB_ALREADY_RUNNING'
                           order by requested_at desc limit 1) newest on true`,
    [jobNames],
  );
  return rows.map(({ job_name: jobName, age, succeeded, exception, exception_age: exceptionAge }) => ({
    jobName,
    ageSeconds: Math.max(0, age),
    succeeded,
    exception: exception === null ? null : { name: exception, ageSeconds: exceptionAge },
  }));
}

async function readOutcomes(db: Queryable): Promise<JobFigures['outcomes']> {
  const { rows } = await db.query<{ job_name: string; state: FinishedState; count: string }>(
    'select job_name, state, runs as count from job_run_totals',
  );
  return rows.map(({ job_name: jobName, state, count }) => ({ jobName, state, count: Number(count) }));
}

async function readWaiting(db: Queryable): Promise<WaitingRun[]> {
  const { rows } = await db.query<{
    run_id: string;
    job_name: string;
    workflow_id: string;
    input: unknown;
    steps_done: string[];
    since: Date;
  }>(
    `select run_id, job_name, workflow_id, input, coalesce(heartbeat_at, requested_at) as since,
            array(select data ->> 'step' from job_run_events e
                   where e.run_id = r.run_id and kind = 'step' and data ->> 'what' = 'succeeded') as steps_done
       from job_runs r
      where finished_at is null
        and (state = 'waiting' or heartbeat_at < now() - make_interval(secs => $1))
      order by requested_at limit 1000`,
    [SILENT_SECONDS],
  );
  return rows.map((row) => ({
    runId: row.run_id,
    jobName: row.job_name,
    workflowId: row.workflow_id,
    input: row.input,
    stepsDone: row.steps_done,
    sinceMs: row.since.getTime(),
  }));
}

async function readTicks(db: Queryable, fromMs: number, untilMs: number): Promise<ScheduleFigures[]> {
  const schedules = await listSchedules(db);
  const spans = await listSpans(db, fromMs);
  const { rows } = await db.query<{
    schedule_id: string;
    audited_until: Date;
    accounted: string;
    missed: string;
    late: number | null;
  }>(
    `select s.schedule_id, s.audited_until,
            (select count(*) from schedule_ticks t
              where t.schedule_id = s.schedule_id and t.nominal_at > to_timestamp($1::double precision / 1000)
                and t.nominal_at <= greatest(s.audited_until, to_timestamp($2::double precision / 1000))) as accounted,
            (select count(*) from schedule_ticks t
              where t.schedule_id = s.schedule_id and t.outcome = 'missed') as missed,
            (select late_seconds from schedule_ticks t
              where t.schedule_id = s.schedule_id and t.outcome = 'ran' order by nominal_at desc limit 1) as late
       from schedules s where s.retired_at is null`,
    [fromMs, untilMs],
  );
  return schedules.flatMap((schedule) => {
    const row = rows.find(({ schedule_id }) => schedule_id === schedule.scheduleId);
    if (row === undefined) return [];
    return [
      {
        ...schedule,
        spans: spans.filter(({ scheduleId }) => scheduleId === schedule.scheduleId),
        window: { fromMs, untilMs: Math.max(untilMs, row.audited_until.getTime()) },
        accounted: Number(row.accounted),
        missed: Number(row.missed),
        lastLateSeconds: row.late,
      },
    ];
  });
}
