import { TIME_SERIES, type TimeSeries } from './application-role';
import type { Queryable, Transactions } from './pool';

const DAY_MS = 86_400_000;
/** Longest wait for a lock: whoever holds it longer (a dump) must not make inserts queue behind us. */
export const LOCK_TIMEOUT_MS = 2_000;

const MONTHLY: readonly TimeSeries[] = ['telemetry_quarter_hours', 'meter_quarter_hours'];

/**
 * Makes the partitions from `daysBack` before today to `daysAhead` after it, except those that were closed.
 *
 * A partition is made as a table of its own and then attached, which takes a lock that a running dump does not block;
 * `create table … partition of` would, and every insert would queue behind it.
 *
 * @returns the names of the partitions made now.
 */
export async function ensurePartitions(
  db: Transactions,
  nowMs: number,
  { daysBack, daysAhead, tables }: { daysBack: number; daysAhead: number; tables: readonly TimeSeries[] },
): Promise<string[]> {
  const made: string[] = [];
  const done = new Set([...(await listPartitions(db)).map(({ name }) => name), ...(await closedPartitions(db))]);
  for (const table of tables) {
    for (let day = -daysBack; day <= daysAhead; day += 1) {
      const name = partitionName(table, nowMs + day * DAY_MS);
      if (done.has(name)) continue;
      done.add(name);
      if (await makePartition(db, table, name)) made.push(name);
    }
  }
  return made;
}

export interface Partition {
  readonly name: string;
  readonly series: TimeSeries;
  readonly startsAtMs: number;
  readonly endsAtMs: number;
  /** `detaching`: a removal was cut off half-way; `detached`: it takes no rows any more. */
  readonly state: 'attached' | 'detaching' | 'detached';
}

/** Partitions of every series, those that a removal left detached among them. */
export async function listPartitions(db: Queryable): Promise<Partition[]> {
  const { rows } = await db.query<{ name: string; series: TimeSeries; state: Partition['state'] }>(
    `select c.relname as name, left(c.relname, -10) as series,
            case when i.inhrelid is null then 'detached' when i.inhdetachpending then 'detaching' else 'attached' end as state
       from pg_class c left join pg_inherits i on i.inhrelid = c.oid
      where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
        and c.relname ~ '_p[0-9]{8}$' and left(c.relname, -10) = any($1)
      order by c.relname`,
    [TIME_SERIES],
  );
  return rows.map((row) => ({ ...row, ...spanOf(row.name, row.series) }));
}

const closedPartitions = async (db: Queryable): Promise<string[]> =>
  (await db.query<{ name: string }>('select partition_name as name from time_series_removals')).rows.map(
    ({ name }) => name,
  );

/** false when another process made it in the meantime, or closed it. */
const makePartition = (db: Transactions, table: TimeSeries, name: string): Promise<boolean> =>
  db.transaction(async (tx) => {
    const { startsAtMs, endsAtMs } = spanOf(name, table);
    await tx.query(`set local lock_timeout = ${String(LOCK_TIMEOUT_MS)}`);
    await lockSeries(tx, table);
    const { rows } = await tx.query<{ done: boolean }>(
      `select exists (select 1 from pg_inherits where inhrelid = to_regclass($1))
           or exists (select 1 from time_series_removals where partition_name = $1) as done`,
      [name],
    );
    if (rows[0]?.done === true) return false;
    await tx.query(
      `create table if not exists ${name} (like ${table} including defaults including constraints including storage)`,
    );
    await tx.query(
      `alter table ${table} attach partition ${name} for values from ('${iso(startsAtMs)}') to ('${iso(endsAtMs)}')`,
    );
    return true;
  });

/** One process at a time makes or closes partitions of a series. */
export const lockSeries = (tx: Queryable, series: TimeSeries): Promise<unknown> =>
  tx.query('select pg_advisory_xact_lock(hashtext($1))', [`partition:${series}`]);

/** Named by its first day. */
function partitionName(table: TimeSeries, ms: number): string {
  const day = iso(ms).slice(0, 10).replaceAll('-', '');
  return `${table}_p${MONTHLY.includes(table) ? `${day.slice(0, 6)}01` : day}`;
}

function spanOf(name: string, table: TimeSeries): { startsAtMs: number; endsAtMs: number } {
  const [year, month, day] = [name.slice(-8, -4), name.slice(-4, -2), name.slice(-2)].map(Number) as [
    number,
    number,
    number,
  ];
  return {
    startsAtMs: Date.UTC(year, month - 1, day),
    endsAtMs: MONTHLY.includes(table) ? Date.UTC(year, month, 1) : Date.UTC(year, month - 1, day + 1),
  };
}

const iso = (ms: number): string => new Date(ms).toISOString();
