import { carryOver, makeRoom, type CarriedOver } from './carry-over';
import { LOCK_TIMEOUT_MS, listPartitions, lockSeries, type Partition } from './partitions';
import type { Queryable, Transactions } from './pool';
import type { TimeSeries } from './application-role';

/** Longest wait for those who read the series when a partition leaves it, ms. Inserts go on meanwhile. */
const DETACH_WITHIN_MS = 20 * 60_000;
const LOCK_NOT_AVAILABLE = '55P03';

/** A partition that is past its time. */
export interface OutdatedPartition {
  readonly series: TimeSeries;
  readonly name: string;
  readonly startsAt: string;
  readonly endsAt: string;
  /** As the server estimates it. */
  readonly rowsAbout: number;
}

/** A closed partition, and what was made of its rows. */
export interface ClosedPartition extends CarriedOver {
  readonly series: TimeSeries;
  readonly name: string;
  /** false: somebody still reads it (a dump); the next run removes it. */
  readonly removed: boolean;
}

/** Partitions that ended before their series' moment, oldest first. */
export async function listOutdated(
  db: Queryable,
  keptFromMs: Readonly<Record<TimeSeries, number>>,
): Promise<OutdatedPartition[]> {
  const past = (await listPartitions(db)).filter(({ series, endsAtMs }) => endsAtMs <= keptFromMs[series]);
  const { rows } = await db.query<{ name: string; rows: number }>(
    `select relname as name, greatest(reltuples, 0)::float8 as rows from pg_class
      where relname = any($1) and relnamespace = 'public'::regnamespace`,
    [past.map(({ name }) => name)],
  );
  const estimates = new Map(rows.map((row) => [row.name, row.rows]));
  return past.map(({ series, name, startsAtMs, endsAtMs }) => ({
    series,
    name,
    startsAt: new Date(startsAtMs).toISOString(),
    endsAt: new Date(endsAtMs).toISOString(),
    rowsAbout: estimates.get(name) ?? 0,
  }));
}

/**
 * Takes a partition out of its series, makes of its rows what is to outlive them, and removes it.
 *
 * From the moment it is out nothing can be added to it, so what is carried over is all there ever was; that and the row
 * that says so are one transaction, so a run that dies anywhere is finished by the next one, and no row counts twice.
 * Inserts into the series never wait for this: it stands behind a reader with them passing by.
 *
 * @returns null when it could not be taken out because of a reader that holds on; the next run does it.
 */
export async function closePartition(
  connection: Transactions,
  name: string,
  runId: string,
): Promise<ClosedPartition | null> {
  const partition = (await listPartitions(connection)).find((found) => found.name === name);
  if (partition === undefined) throw new Error(`there is no partition ${name}`);
  if (!(await detach(connection, partition))) return null;
  await makeRoom(connection, partition);
  const carried = await connection.transaction((tx) => carryOnce(tx, partition, runId));
  const removed = await drop(connection, partition);
  return { series: partition.series, name, ...carried, removed };
}

/** What the run has closed, earlier attempts of it too. */
export async function listClosed(db: Queryable, runId: string): Promise<ClosedPartition[]> {
  const { rows } = await db.query<
    Omit<ClosedPartition, 'rows' | 'carriedRows'> & { rows: string; carriedRows: string }
  >(
    `select series, partition_name as name, rows, carried_rows as "carriedRows", removed_at is not null as removed
       from time_series_removals where run_id = $1 order by partition_name`,
    [runId],
  );
  return rows.map((row) => ({ ...row, rows: Number(row.rows), carriedRows: Number(row.carriedRows) }));
}

/** It cannot run in a transaction; one that was cut off is finalized. */
async function detach(connection: Transactions, { name, series, state }: Partition): Promise<boolean> {
  if (state === 'detached') return true;
  try {
    await connection.query(`set lock_timeout = ${String(DETACH_WITHIN_MS)}`);
    await connection.query(
      `alter table ${series} detach partition ${name} ${state === 'detaching' ? 'finalize' : 'concurrently'}`,
    );
    return true;
  } catch (error) {
    if (isLockTimeout(error)) return false;
    throw error;
  } finally {
    await connection.query('set lock_timeout = 0');
  }
}

async function carryOnce(tx: Queryable, partition: Partition, runId: string): Promise<CarriedOver> {
  const { name, series } = partition;
  await lockSeries(tx, series);
  const before = await tx.query<{ rows: string; carried: string }>(
    'select rows, carried_rows as carried from time_series_removals where partition_name = $1',
    [name],
  );
  const [done] = before.rows;
  if (done !== undefined) return { rows: Number(done.rows), carriedRows: Number(done.carried) };
  const carried = await carryOver(tx, partition);
  await tx.query(
    `insert into time_series_removals (partition_name, series, rows, carried_rows, run_id) values ($1, $2, $3, $4, $5)`,
    [name, series, carried.rows, carried.carriedRows, runId],
  );
  return carried;
}

/** A dump that has the table open keeps it; it stands beside its series then and is in nobody's way. */
async function drop(connection: Transactions, { name, series }: Partition): Promise<boolean> {
  try {
    await connection.transaction(async (tx) => {
      await tx.query(`set local lock_timeout = ${String(LOCK_TIMEOUT_MS)}`);
      await lockSeries(tx, series);
      await tx.query(`drop table ${name}`);
      await tx.query('update time_series_removals set removed_at = now() where partition_name = $1', [name]);
    });
    return true;
  } catch (error) {
    if (isLockTimeout(error)) return false;
    throw error;
  }
}

const isLockTimeout = (error: unknown): boolean => (error as { code?: string }).code === LOCK_NOT_AVAILABLE;
