import type { Client } from 'pg';
import { ensurePartitions } from '../db/partitions';
import { adminOf, operatorOf } from './demo';
import type { BenchSystem } from './system';

/** How long the system is watched: what it writes in this time is what its past is made of, s. */
const WATCHED_SECONDS = 60;
const DISPATCH_SECONDS = 40;
const DAYS_BACK = 8;
/** Copies that one statement makes. */
const COPIES_AT_ONCE = 100;

/**
 * Gives a running system a past of `megabytes` (of the whole database). It is watched for a minute, with a dispatch in it;
 * then everything it wrote meanwhile (telemetry, meter readings, cycles with their inputs, setpoints, dispatches) is
 * copied back into the minutes before, with ids of their own. So each table has the share and the rows have the content
 * that the simulated fleet makes. Answers how large the database is then, MB.
 */
export async function growPast(bench: BenchSystem, megabytes: number, say: (line: string) => void): Promise<number> {
  const watched = await watch(bench, say);
  const client = await adminOf(bench);
  try {
    await client.query("set synchronous_commit = off; set time zone 'UTC'");
    await ensurePartitions(bench.db, Date.now(), { daysBack: DAYS_BACK, daysAhead: 1, tables: PARTITIONED });
    for (let first = 1; ; first += COPIES_AT_ONCE) {
      const size = await sizeOf(client);
      if (size >= megabytes) {
        await client.query('analyze');
        await client.query('checkpoint');
        say(`the database has ${size.toFixed(0)} MB: ${await sharesOf(client)}`);
        return size;
      }
      await copy(client, watched, first);
    }
  } finally {
    await client.end();
  }
}

interface Watched {
  readonly from: Date;
  readonly to: Date;
}

async function watch(bench: BenchSystem, say: (line: string) => void): Promise<Watched> {
  say(`watching the system for ${String(WATCHED_SECONDS)} s`);
  const { rows } = await bench.db.query<{ from: Date }>('select now() as from');
  const from = rows[0]?.from ?? new Date();
  const at = (seconds: number): string => new Date(from.getTime() + seconds * 1000).toISOString();
  const ask = await operatorOf(bench);
  await ask('POST', '/api/dispatches', {
    ...{ feederId: 'elm-street', importLimitKw: 120, reason: 'benchmark' },
    ...{ startsAt: at(10), endsAt: at(10 + DISPATCH_SECONDS) },
  });
  await new Promise((resolve) => setTimeout(resolve, WATCHED_SECONDS * 1000));
  return { from, to: new Date(from.getTime() + WATCHED_SECONDS * 1000) };
}

const PARTITIONED = ['telemetry', 'meter_readings', 'control_cycles', 'control_cycle_inputs', 'setpoints'] as const;

/** The same id in all tables of one copy, another one in each copy; marked as a random UUID, as the API wants ids. */
const anew = (id: string): string =>
  `overlay(overlay(md5(${id}::text || k) placing '4' from 13) placing '8' from 17)::uuid`;
const earlier = (column: string): string => `${column} - k * $2::interval`;

/** What is put into a copy of a row in place of what the row holds, by table and in the order of their references. */
const COPIED: Readonly<Record<string, { readonly time: string; readonly changed: Readonly<Record<string, string>> }>> =
  {
    telemetry: {
      time: 'sampled_at',
      changed: {
        sampled_at: earlier('sampled_at'),
        received_at: earlier('received_at'),
        message_id: anew('message_id'),
      },
    },
    meter_readings: {
      time: 'sampled_at',
      changed: {
        sampled_at: earlier('sampled_at'),
        received_at: earlier('received_at'),
        message_id: anew('message_id'),
      },
    },
    control_cycles: {
      time: 'planned_at',
      changed: { planned_at: earlier('planned_at'), tick_at: earlier('tick_at'), plan_id: anew('plan_id') },
    },
    control_cycle_inputs: { time: 'planned_at', changed: { planned_at: earlier('planned_at') } },
    setpoints: {
      time: 'planned_at',
      changed: {
        planned_at: earlier('planned_at'),
        valid_until: earlier('valid_until'),
        acknowledged_at: earlier('acknowledged_at'),
        plan_id: anew('plan_id'),
      },
    },
    dispatches: {
      time: 'accepted_at',
      changed: {
        dispatch_id: anew('dispatch_id'),
        starts_at: earlier('starts_at'),
        ends_at: earlier('ends_at'),
        begins_at: earlier('begins_at'),
        expires_at: earlier('expires_at'),
        accepted_at: earlier('accepted_at'),
      },
    },
    dispatch_history: { time: 'at', changed: { dispatch_id: anew('dispatch_id'), at: earlier('at') } },
    dispatch_measurements: {
      time: 'measured_at',
      changed: { dispatch_id: anew('dispatch_id'), measured_at: earlier('measured_at') },
    },
  };

async function copy(client: Client, { from, to }: Watched, first: number): Promise<void> {
  for (const [table, { time, changed }] of Object.entries(COPIED)) {
    const columns = await columnsOf(client, table);
    await client.query(
      `insert into ${table} (${columns.join(', ')})
       select ${columns.map((column) => changed[column] ?? column).join(', ')}
         from ${table}, generate_series($1::integer, $1::integer + ${String(COPIES_AT_ONCE - 1)}) as k
        where ${time} >= $3 and ${time} < $4`,
      [first, `${String(WATCHED_SECONDS)} s`, from, to],
    );
  }
}

async function columnsOf(client: Client, table: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select attname as name from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`,
    [table],
  );
  return rows.map(({ name }) => name);
}

async function sizeOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ bytes: string }>('select pg_database_size(current_database()) as bytes');
  return Number(rows[0]?.bytes) / 1e6;
}

/** The largest tables with their indexes, in percent. */
async function sharesOf(client: Client): Promise<string> {
  const { rows } = await client.query<{ table: string; percent: string }>(
    `select coalesce(i.inhparent, c.oid)::regclass::text as table,
            round(100 * sum(pg_total_relation_size(c.oid)) / pg_database_size(current_database()), 1)::text as percent
       from pg_class c left join pg_inherits i on i.inhrelid = c.oid
      where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
      group by 1 order by sum(pg_total_relation_size(c.oid)) desc limit 6`,
  );
  return rows.map(({ table, percent }) => `${table} ${percent} %`).join(', ');
}
