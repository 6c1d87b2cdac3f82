import { accountTicks, type AccountedTick, type TickRun } from '../domain/tick-accounting';
import type { Database, Queryable } from './pool';
import { listPauses, listSchedules, type ScheduleRecord } from './schedules';

/** A tick is looked at when it is older than this, s: by then its run has its row. */
export const TICK_GRACE_SECONDS = 300;
/** Ticks that are told of are removed after this; missed ones stay. */
const KEPT_DAYS = 90;
/** The supervisor's, one a minute. */
const SUPERVISOR_KEPT_DAYS = 7;
const MOST_TICKS = 20_000;

/** The nominal ticks of a cron expression after `afterMs` and up to `untilMs`. */
export type NominalTicks = (cron: string, afterMs: number, untilMs: number, most: number) => readonly number[];

export interface TickAudit {
  readonly scheduleId: string;
  readonly ran: number;
  readonly skipped: number;
  readonly missed: number;
  readonly paused: number;
  readonly latestSeconds: number;
}

/**
 * Accounts for every nominal tick of every schedule up to `nowMs` less the grace. A tick without a run counts as missed
 * at once; as long as it may still be caught up with it is looked at again, and a run that came late takes its place.
 */
export async function auditTicks(
  db: Database,
  nominalTicks: NominalTicks,
  nowMs: number,
  graceSeconds = TICK_GRACE_SECONDS,
): Promise<TickAudit[]> {
  const audits: TickAudit[] = [];
  for (const { scheduleId } of await listSchedules(db)) {
    const audit = await db.transaction(async (tx) => {
      await tx.query('select 1 from schedules where schedule_id = $1 for update', [scheduleId]);
      const schedule = (await listSchedules(tx)).find((found) => found.scheduleId === scheduleId);
      if (schedule === undefined) return null; // retired just now
      return auditSchedule(tx, schedule, nominalTicks, nowMs - graceSeconds * 1000);
    });
    if (audit !== null) audits.push(audit);
  }
  await removeOld(db);
  return audits;
}

/** The ticks of one schedule up to `untilMs`, by the times it has in `schedule`. */
export async function auditSchedule(
  tx: Queryable,
  schedule: ScheduleRecord,
  nominalTicks: NominalTicks,
  untilMs: number,
): Promise<TickAudit> {
  const { scheduleId, cron, catchUpSeconds, auditedUntilMs } = schedule;
  const fromMs = auditedUntilMs;
  const ticks = nominalTicks(cron, fromMs, untilMs, MOST_TICKS);
  const doneUntilMs = ticks.length === MOST_TICKS ? (ticks.at(-1) ?? untilMs) : Math.max(fromMs, untilMs);
  const again = await missedTicks(tx, scheduleId, untilMs - catchUpSeconds * 1000 - TICK_GRACE_SECONDS * 1000);
  const sinceMs = Math.min(fromMs, ...again);
  const told = new Set(await toldTicks(tx, scheduleId, fromMs));
  const accounted = accountTicks({
    ticks: [...again, ...ticks.filter((tick) => !told.has(tick))],
    runs: await runsSince(tx, scheduleId, sinceMs),
    pauses: await listPauses(tx, scheduleId, sinceMs),
  });
  await store(tx, scheduleId, accounted);
  await tx.query(
    'update schedules set audited_until = greatest(audited_until, to_timestamp($2::double precision / 1000)) where schedule_id = $1',
    [scheduleId, doneUntilMs],
  );
  return sumOf(scheduleId, accounted);
}

/** Those that may yet turn out to have run late. */
async function missedTicks(tx: Queryable, scheduleId: string, sinceMs: number): Promise<number[]> {
  const { rows } = await tx.query<{ nominal_at: Date }>(
    `select nominal_at from schedule_ticks where schedule_id = $1 and outcome = 'missed'
        and nominal_at >= to_timestamp($2::double precision / 1000) order by nominal_at`,
    [scheduleId, sinceMs],
  );
  return rows.map((row) => row.nominal_at.getTime());
}

/** Ticks that have told of themselves: the supervisor's. */
async function toldTicks(tx: Queryable, scheduleId: string, sinceMs: number): Promise<number[]> {
  const { rows } = await tx.query<{ nominal_at: Date }>(
    `select nominal_at from schedule_ticks where schedule_id = $1 and nominal_at > to_timestamp($2::double precision / 1000)`,
    [scheduleId, sinceMs],
  );
  return rows.map((row) => row.nominal_at.getTime());
}

/** Runs made for ticks since then, and those that went on then. */
async function runsSince(tx: Queryable, scheduleId: string, sinceMs: number): Promise<TickRun[]> {
  const { rows } = await tx.query<{
    run_id: string;
    nominal_at: Date;
    requested_at: Date;
    finished_at: Date | null;
    skipped: string | null;
  }>(
    `select run_id, nominal_at, requested_at, finished_at,
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
    endedAtMs: row.finished_at?.getTime() ?? null,
    skipped: row.skipped,
  }));
}

async function store(tx: Queryable, scheduleId: string, ticks: readonly AccountedTick[]): Promise<void> {
  await tx.query(
    `insert into schedule_ticks (schedule_id, nominal_at, outcome, run_id, late_seconds, detail)
     select $1, to_timestamp(at_ms / 1000), outcome, run_id, late_seconds, detail
       from unnest($2::double precision[], $3::text[], $4::uuid[], $5::double precision[], $6::text[])
            as t (at_ms, outcome, run_id, late_seconds, detail)
     on conflict (schedule_id, nominal_at) do update
        set outcome = excluded.outcome, run_id = excluded.run_id, late_seconds = excluded.late_seconds,
            detail = excluded.detail, accounted_at = now()
      where schedule_ticks.outcome = 'missed' and excluded.outcome <> 'missed'`,
    [
      scheduleId,
      ticks.map(({ nominalAtMs }) => nominalAtMs),
      ticks.map(({ outcome }) => outcome),
      ticks.map(({ runId }) => runId),
      ticks.map(({ lateSeconds }) => lateSeconds),
      ticks.map(({ detail }) => detail),
    ],
  );
}

/** A tick that tells of itself, such as the supervisor's. Harmless to repeat. */
export async function recordTick(
  db: Queryable,
  {
    scheduleId,
    nominalAtMs,
    atMs,
  }: { readonly scheduleId: string; readonly nominalAtMs: number; readonly atMs: number },
): Promise<void> {
  await db.query(
    `insert into schedule_ticks (schedule_id, nominal_at, outcome, late_seconds)
     select schedule_id, to_timestamp($2::double precision / 1000), 'ran', $3 from schedules where schedule_id = $1
     on conflict (schedule_id, nominal_at) do update
        set outcome = 'ran', late_seconds = excluded.late_seconds, accounted_at = now()
      where schedule_ticks.outcome = 'missed'`,
    [scheduleId, nominalAtMs, Math.max(0, atMs - nominalAtMs) / 1000],
  );
}

const sumOf = (scheduleId: string, ticks: readonly AccountedTick[]): TickAudit => {
  const count = (outcome: AccountedTick['outcome']): number => ticks.filter((tick) => tick.outcome === outcome).length;
  return {
    scheduleId,
    ran: count('ran'),
    skipped: count('skipped'),
    missed: count('missed'),
    paused: count('paused'),
    latestSeconds: Math.max(0, ...ticks.map(({ lateSeconds }) => lateSeconds ?? 0)),
  };
};

const removeOld = (db: Queryable): Promise<unknown> =>
  db.query(
    `delete from schedule_ticks t using schedules s
      where s.schedule_id = t.schedule_id and t.outcome <> 'missed'
        and t.nominal_at < now() - make_interval(days => case when s.job_name is null then $2::int else $1::int end)`,
    [KEPT_DAYS, SUPERVISOR_KEPT_DAYS],
  );
