import type { TimeSeries } from './application-role';
import { TIME_SERIES } from './application-role';
import type { Database, Queryable } from './pool';

const DAY_MS = 86_400_000;
/** Longest wait for a lock: whoever holds it longer (a dump) must not make inserts queue behind us. */
const LOCK_TIMEOUT_MS = 2_000;

/**
 * Makes the daily partitions from `daysBack` before today to `daysAhead` after it.
 *
 * A partition is made as a table of its own and then attached, which takes a lock that a running dump does not block;
 * `create table … partition of` would, and every insert would queue behind it.
 *
 * @returns the names of the partitions made now.
 */
export async function ensurePartitions(
  db: Database,
  nowMs: number,
  {
    daysBack,
    daysAhead,
    tables = TIME_SERIES,
  }: { daysBack: number; daysAhead: number; tables?: readonly TimeSeries[] },
): Promise<string[]> {
  const made: string[] = [];
  const existing = new Set((await listPartitions(db)).map(({ name }) => name));
  for (const table of tables) {
    for (let day = -daysBack; day <= daysAhead; day += 1) {
      const from = startOfDay(nowMs + day * DAY_MS);
      const name = partitionName(table, from);
      if (existing.has(name)) continue;
      if (await makePartition(db, table, name, from)) made.push(name);
    }
  }
  return made;
}

/**
 * Removes partitions that end before `beforeMs`. Detaching waits for readers without blocking inserts; it cannot run in
 * a transaction, so a removal that was cut off is finished by the next one.
 *
 * @returns the names removed.
 */
export async function removePartitions(db: Database, table: TimeSeries, beforeMs: number): Promise<string[]> {
  const removed: string[] = [];
  for (const { name, parent, endsAtMs, detachPending } of await listPartitions(db)) {
    if (parent !== table || endsAtMs > beforeMs) continue;
    await db.query(`alter table ${table} detach partition ${name} ${detachPending ? 'finalize' : 'concurrently'}`);
    await dropDetached(db, name);
    removed.push(name);
  }
  for (const name of await detachedLeftovers(db, table, beforeMs)) {
    await dropDetached(db, name);
    removed.push(name);
  }
  return removed;
}

interface Partition {
  readonly name: string;
  readonly parent: string;
  readonly endsAtMs: number;
  readonly detachPending: boolean;
}

async function listPartitions(db: Queryable): Promise<Partition[]> {
  const { rows } = await db.query<{ name: string; parent: string; pending: boolean }>(
    `select c.relname as name, p.relname as parent, i.inhdetachpending as pending
       from pg_inherits i
       join pg_class c on c.oid = i.inhrelid
       join pg_class p on p.oid = i.inhparent
      where p.relname = any($1) and p.relkind = 'p'
      order by c.relname`,
    [TIME_SERIES],
  );
  return rows.map(({ name, parent, pending }) => ({
    name,
    parent,
    endsAtMs: dayOf(name) + DAY_MS,
    detachPending: pending,
  }));
}

/** false when another process made it in the meantime. */
async function makePartition(db: Database, table: TimeSeries, name: string, fromMs: number): Promise<boolean> {
  const from = new Date(fromMs).toISOString();
  const to = new Date(fromMs + DAY_MS).toISOString();
  return db.transaction(async (tx) => {
    await tx.query(`set local lock_timeout = ${String(LOCK_TIMEOUT_MS)}`);
    await tx.query('select pg_advisory_xact_lock(hashtext($1))', [`partition:${table}`]);
    const { rows } = await tx.query<{ attached: boolean }>(
      'select exists (select 1 from pg_inherits where inhrelid = to_regclass($1)) as attached',
      [name],
    );
    if (rows[0]?.attached === true) return false;
    await tx.query(
      `create table if not exists ${name} (like ${table} including defaults including constraints including storage)`,
    );
    await tx.query(`alter table ${table} attach partition ${name} for values from ('${from}') to ('${to}')`);
    return true;
  });
}

/** Partitions that were detached by a run that died before it dropped them. */
async function detachedLeftovers(db: Queryable, table: TimeSeries, beforeMs: number): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(
    `select c.relname as name from pg_class c
      where c.relkind = 'r' and c.relname ~ $1 and pg_get_userbyid(c.relowner) = current_user
        and not exists (select 1 from pg_inherits i where i.inhrelid = c.oid)`,
    [`^${table}_p[0-9]{8}$`],
  );
  return rows.map(({ name }) => name).filter((name) => dayOf(name) + DAY_MS <= beforeMs);
}

const dropDetached = (db: Database, name: string): Promise<unknown> =>
  db.transaction(async (tx) => {
    await tx.query(`set local lock_timeout = ${String(LOCK_TIMEOUT_MS)}`);
    await tx.query(`drop table if exists ${name}`);
  });

const startOfDay = (ms: number): number => Math.floor(ms / DAY_MS) * DAY_MS;

const partitionName = (table: TimeSeries, dayMs: number): string =>
  `${table}_p${new Date(dayMs).toISOString().slice(0, 10).replaceAll('-', '')}`;

const dayOf = (name: string): number =>
  Date.parse(name.slice(-8).replace(/^(\d{4})(\d{2})(\d{2})$/, '$1-$2-$3T00:00:00Z'));
