import type { AccountedTick, NominalTick, TickOutcome } from '../domain/tick-accounting';
import type { Database, Queryable } from './pool';
import { listSpans, type ScheduleSpan } from './schedules';
import { judgeTicks, tickOf, type OpenScheduledRun } from './tick-judgement';

/** Ticks that are told of are removed after this; missed ones stay. */
const KEPT_DAYS = 90;
/** The supervisor's, one a minute. */
const SUPERVISOR_KEPT_DAYS = 7;
/** Looked at in one transaction. */
const MOST_TICKS = 20_000;

/** The nominal ticks of a cron expression after `afterMs` and up to `untilMs`, the first `most`. */
export type NominalTicks = (cron: string, afterMs: number, untilMs: number, most: number) => readonly number[];

export interface TickAuditOrder {
  readonly nominalTicks: NominalTicks;
  /** What Temporal has open, as of now. */
  readonly open: readonly OpenScheduledRun[];
  readonly nowMs: number;
  /** Younger ticks are left for the next time: by then their runs are seen, s. */
  readonly graceSeconds: number;
}

export interface TickAudit extends Readonly<Record<TickOutcome, number>> {
  readonly scheduleId: string;
  /** Of those that ran. */
  readonly latestSeconds: number;
}

/**
 * Accounts for every nominal tick of every schedule, those that are no more included, up to `nowMs` less the grace: each
 * by what its schedule was at that time. What was of the moment the last time (`waiting`, `due`) is judged again.
 */
export async function auditTicks(db: Database, order: TickAuditOrder): Promise<TickAudit[]> {
  const untilMs = order.nowMs - order.graceSeconds * 1000;
  const { rows } = await db.query<{ schedule_id: string }>(
    `select schedule_id from schedules s
      where retired_at is null or audited_until < retired_at
         or exists (select 1 from schedule_ticks t where t.schedule_id = s.schedule_id and outcome in ('waiting', 'due'))
      order by 1`,
  );
  const audits: TickAudit[] = [];
  for (const { schedule_id: scheduleId } of rows) {
    const accounted = new Map<number, AccountedTick>();
    for (let done = false; !done;) {
      const part = await db.transaction((tx) => auditPart(tx, scheduleId, order, untilMs));
      for (const tick of part.accounted) accounted.set(tick.nominalAtMs, tick);
      done = part.done;
    }
    audits.push(sumOf(scheduleId, [...accounted.values()]));
  }
  await removeOld(db, order.nowMs);
  return audits;
}

async function auditPart(
  tx: Queryable,
  scheduleId: string,
  { nominalTicks, open }: TickAuditOrder,
  untilMs: number,
): Promise<{ readonly accounted: readonly AccountedTick[]; readonly done: boolean }> {
  const { rows } = await tx.query<{ audited_until: Date }>(
    'select audited_until from schedules where schedule_id = $1 for update',
    [scheduleId],
  );
  const fromMs = rows[0]?.audited_until.getTime() ?? untilMs;
  const spans = await listSpans(tx, 0, scheduleId);
  const found = ticksOf(spans, nominalTicks, fromMs, untilMs);
  const doneUntilMs = found.length < MOST_TICKS ? Math.max(fromMs, untilMs) : (found.at(-1)?.atMs ?? untilMs);
  const told = new Set(
    await tickTimes(tx, scheduleId, 'nominal_at > to_timestamp($2::double precision / 1000)', fromMs),
  );
  const again = await tickTimes(tx, scheduleId, `outcome in ('waiting', 'due')`);
  const ticks = [...again.map((atMs) => tickAt(spans, atMs)), ...found.filter(({ atMs }) => !told.has(atMs))];
  ticks.sort((a, b) => a.atMs - b.atMs);
  const accounted = await judgeTicks(tx, scheduleId, { ticks, open, seenUntilMs: untilMs });
  await store(tx, scheduleId, accounted);
  await tx.query(
    'update schedules set audited_until = greatest(audited_until, to_timestamp($2::double precision / 1000)) where schedule_id = $1',
    [scheduleId, doneUntilMs],
  );
  return { accounted, done: found.length < MOST_TICKS };
}

/** After `fromMs` and up to `untilMs`, each of the span that it falls into; the first that are looked at in one go. */
function ticksOf(
  spans: readonly ScheduleSpan[],
  nominalTicks: NominalTicks,
  fromMs: number,
  untilMs: number,
): NominalTick[] {
  const ticks: NominalTick[] = [];
  for (const span of spans) {
    const after = Math.max(fromMs, span.fromMs);
    const until = Math.min(untilMs, span.untilMs ?? untilMs);
    const times = nominalTicks(span.cron, after, until, MOST_TICKS - ticks.length);
    ticks.push(...times.map((atMs) => tickOf(span, atMs)));
    if (ticks.length >= MOST_TICKS) break;
  }
  return ticks;
}

/** One that was found before has its span still. */
const tickAt = (spans: readonly ScheduleSpan[], atMs: number): NominalTick => {
  const span = spans.findLast(({ fromMs }) => fromMs <= atMs);
  return span === undefined ? { atMs, overlap: 'skip', catchUpSeconds: 0 } : tickOf(span, atMs);
};

async function tickTimes(tx: Queryable, scheduleId: string, where: string, sinceMs?: number): Promise<number[]> {
  const { rows } = await tx.query<{ nominal_at: Date }>(
    `select nominal_at from schedule_ticks where schedule_id = $1 and ${where}`,
    sinceMs === undefined ? [scheduleId] : [scheduleId, sinceMs],
  );
  return rows.map((row) => row.nominal_at.getTime());
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
      where schedule_ticks.outcome in ('waiting', 'due')`,
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
        set outcome = 'ran', late_seconds = excluded.late_seconds, detail = null, accounted_at = now()
      where schedule_ticks.outcome in ('waiting', 'due')`,
    [scheduleId, nominalAtMs, Math.max(0, atMs - nominalAtMs) / 1000],
  );
}

const sumOf = (scheduleId: string, ticks: readonly AccountedTick[]): TickAudit => {
  const count = (outcome: TickOutcome): number => ticks.filter((tick) => tick.outcome === outcome).length;
  return {
    scheduleId,
    ran: count('ran'),
    skipped: count('skipped'),
    missed: count('missed'),
    paused: count('paused'),
    waiting: count('waiting'),
    due: count('due'),
    latestSeconds: Math.max(0, ...ticks.map(({ lateSeconds }) => lateSeconds ?? 0)),
  };
};

const removeOld = (db: Queryable, nowMs: number): Promise<unknown> =>
  db.query(
    `delete from schedule_ticks t using schedules s
      where s.schedule_id = t.schedule_id and t.outcome in ('ran', 'skipped', 'paused')
        and t.nominal_at < to_timestamp($3::double precision / 1000)
                           - make_interval(days => case when s.job_name is null then $2::int else $1::int end)`,
    [KEPT_DAYS, SUPERVISOR_KEPT_DAYS, nowMs],
  );
