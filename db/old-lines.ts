import type { Queryable } from './pool';

/** Rows per statement: short locks, and a stop in between loses nothing. */
const AT_ONCE = 10_000;

/** Removes log lines of runs from before a moment. What a run did (states, steps), its result and its proof stay. */
export const removeRunLines = (db: Queryable, beforeMs: number, signal: AbortSignal): Promise<number> =>
  removeInParts(db, signal, [
    `delete from job_run_events where ctid = any (array(
       select ctid from job_run_events where kind = 'log' and at < to_timestamp($1::float8 / 1000) limit $2))`,
    beforeMs,
  ]);

/** Removes the sample of refused messages from before a moment. */
export const removeRefused = (db: Queryable, beforeMs: number, signal: AbortSignal): Promise<number> =>
  removeInParts(db, signal, [
    `delete from refused_telemetry where id = any (array(
       select id from refused_telemetry where received_at < to_timestamp($1::float8 / 1000) limit $2))`,
    beforeMs,
  ]);

/** Removes the counts of who sent refused messages, by hours from before a moment. */
export const removeRefusedSenders = (db: Queryable, beforeMs: number, signal: AbortSignal): Promise<number> =>
  removeInParts(db, signal, [
    `delete from refused_senders where ctid = any (array(
       select ctid from refused_senders where hour < to_timestamp($1::float8 / 1000) limit $2))`,
    beforeMs,
  ]);

async function removeInParts(
  db: Queryable,
  signal: AbortSignal,
  [sql, beforeMs]: readonly [sql: string, beforeMs: number],
): Promise<number> {
  for (let removed = 0; ;) {
    signal.throwIfAborted();
    const { rowCount } = await db.query(sql, [beforeMs, AT_ONCE]);
    removed += rowCount ?? 0;
    if ((rowCount ?? 0) < AT_ONCE) return removed;
  }
}
