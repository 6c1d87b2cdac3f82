import type { Pause } from '../domain/tick-accounting';
import type { Queryable } from './pool';

/**
 * What a schedule was seen to be at `seenAt`; a change of it begins or ends a pause. What was decided after that moment
 * stands: somebody looked too early.
 *
 * @returns whether anything changed.
 */
export async function recordPause(
  tx: Queryable,
  {
    scheduleId,
    paused,
    note,
    seenAt,
  }: { readonly scheduleId: string; readonly paused: boolean; readonly note: string; readonly seenAt: Date },
): Promise<boolean> {
  await tx.query('select 1 from schedules where schedule_id = $1 for update', [scheduleId]);
  const { rowCount } = paused
    ? await tx.query(
        `insert into schedule_pauses (schedule_id, paused_at, note)
         select schedule_id, now(), $2 from schedules s where schedule_id = $1
            and not exists (select 1 from schedule_pauses p
                             where p.schedule_id = s.schedule_id and coalesce(resumed_at, 'infinity') > $3)`,
        [scheduleId, note, seenAt],
      )
    : await tx.query(
        `update schedule_pauses set resumed_at = now()
          where schedule_id = $1 and resumed_at is null and paused_at <= $2`,
        [scheduleId, seenAt],
      );
  return rowCount !== 0;
}

/** The time by which pauses are written down. */
export async function databaseTime(db: Queryable): Promise<Date> {
  const { rows } = await db.query<{ now: Date }>('select clock_timestamp() as now');
  if (rows[0] === undefined) throw new Error('the database does not tell the time');
  return rows[0].now;
}

/** Notes of those that are paused, by their ids. */
export async function openPauses(db: Queryable): Promise<ReadonlyMap<string, string>> {
  const { rows } = await db.query<{ schedule_id: string; note: string }>(
    'select schedule_id, note from schedule_pauses where resumed_at is null',
  );
  return new Map(rows.map((row) => [row.schedule_id, row.note]));
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
