import type { Queryable } from './pool';

/** The loop of a root as its rows tell. */
export interface LoopPosition {
  readonly rootFeederId: string;
  readonly chainId: string;
  readonly chainStartedAtMs: number;
  readonly cycle: number;
  readonly intervalSeconds: number;
  readonly nowMs: number;
}

/** Of the tree that the feeder belongs to; without a feeder, of the loop whose last plan is the latest behind its tick. */
export async function readLoopPosition(db: Queryable, feederId: string | undefined): Promise<LoopPosition | null> {
  const { rows } = await db.query<LoopPosition>(
    `select l.root_feeder_id as "rootFeederId", chain_id as "chainId",
            (extract(epoch from chain_started_at) * 1000)::float8 as "chainStartedAtMs", cycle::float8 as cycle,
            coalesce(l.interval_seconds, f.interval_seconds) as "intervalSeconds",
            (extract(epoch from now()) * 1000)::float8 as "nowMs"
       from control_loops l join feeders f on f.feeder_id = l.root_feeder_id
      where $1::text is null or l.root_feeder_id = (select root_id from feeders where feeder_id = $1)
      order by coalesce(l.planned_at, 'epoch') - coalesce(l.tick_at, 'epoch') desc limit 1`,
    [feederId ?? null],
  );
  return rows[0] ?? null;
}

/** How long something took, of all that were seen, s; null: nothing was seen. */
export interface Spread {
  readonly seen: number;
  readonly median: number | null;
  readonly p99: number | null;
  readonly most: number | null;
}

export interface LiveSteps {
  /** From the nominal tick to the plan: Temporal's timer, the way through task queue and worker, and the plan itself. */
  readonly tickToPlan: Spread;
  /** From the plan to the last acknowledgement of the broker. */
  readonly planToAcknowledged: Spread;
  readonly missedTicks: number;
}

const spread = (of: string): string =>
  `count(${of})::int as seen, percentile_cont(0.5) within group (order by ${of}) as median,
   percentile_cont(0.99) within group (order by ${of}) as p99, max(${of}) as most`;

/** Of the cycles that were planned in the last `seconds`. */
export async function readLiveSteps(db: Queryable, rootFeederId: string, seconds: number): Promise<LiveSteps> {
  const since = `root_feeder_id = $1 and planned_at > now() - make_interval(secs => $2)`;
  // A cycle that was woken stands for the tick before it: of each tick only the first plan is its own.
  const ticks = await db.query<Spread & { missed: number }>(
    `select ${spread('late')}, coalesce(sum(missed_ticks), 0)::int as missed from (
       select distinct on (tick_at) extract(epoch from planned_at - tick_at)::float8 as late, missed_ticks
         from control_cycles where ${since} order by tick_at, planned_at) t`,
    [rootFeederId, seconds],
  );
  const published = await db.query<Spread>(
    `select ${spread('took')} from (
       select extract(epoch from max(acknowledged_at) - min(planned_at))::float8 as took
         from setpoints where ${since} group by plan_id) p`,
    [rootFeederId, seconds],
  );
  const { missed, ...tickToPlan } = ticks.rows[0] ?? { ...NOTHING, missed: 0 };
  return { tickToPlan, planToAcknowledged: published.rows[0] ?? NOTHING, missedTicks: missed };
}

const NOTHING: Spread = { seen: 0, median: null, p99: null, most: null };

export interface MessageRate {
  /** Of a feeder, or of a device. */
  readonly id: string;
  readonly perSecond: number;
  /** The most in one second of the clock. */
  readonly burst: number;
}

/** Telemetry as it came in and was stored, busiest first; with a root, of its tree. */
export async function readMessageRates(
  db: Queryable,
  {
    by,
    seconds,
    rootFeederId,
    most,
  }: { by: 'feeder' | 'device'; seconds: number; rootFeederId?: string; most: number },
): Promise<MessageRate[]> {
  const { rows } = await db.query<MessageRate>(
    `with heard as (
       select ${by === 'feeder' ? 'feeder_id' : 'device_id'} as id, date_trunc('second', received_at) as at, count(*) as n
         from telemetry join devices using (device_key) join feeders using (feeder_id)
        where sampled_at > now() - make_interval(secs => $1 + 60) and received_at > now() - make_interval(secs => $1)
          and ($2::text is null or root_id = $2)
        group by 1, 2)
     select id, (sum(n) / $1)::float8 as "perSecond", max(n)::int as burst from heard group by 1
      order by 3 desc, 2 desc, 1 limit $3`,
    [seconds, rootFeederId ?? null, most],
  );
  return rows;
}

export interface RefusedSender {
  readonly sender: string;
  readonly reason: string;
  readonly messages: number;
  readonly peakPerSecond: number;
}

/** Who sends what is refused, in this hour and the last: floods are held there and never come to `telemetry`. */
export async function readRefusedSenders(db: Queryable, most: number): Promise<RefusedSender[]> {
  const { rows } = await db.query<RefusedSender>(
    `select sender, reason, sum(messages)::float8 as messages, max(peak_per_second)::float8 as "peakPerSecond"
       from refused_senders where hour >= date_trunc('hour', now()) - interval '1 hour' group by 1, 2
      order by 3 desc limit $1`,
    [most],
  );
  return rows;
}

export interface LongTransaction {
  readonly pid: number;
  readonly user: string | null;
  readonly application: string | null;
  readonly state: string | null;
  /** null: a session of another role, of which ours sees no more than that it is in the way. */
  readonly seconds: number | null;
  /** Pids that it waits for. */
  readonly waitsFor: number[];
  readonly statement: string;
}

/** Transactions of this database that are older than a second, and whoever keeps others of it waiting. */
export async function readLongTransactions(db: Queryable): Promise<LongTransaction[]> {
  const { rows } = await db.query<LongTransaction>(
    `with waited_for as (
       select unnest(pg_blocking_pids(pid)) as pid from pg_stat_activity where datname = current_database()
     )
     select pid, usename as user, application_name as application, state, left(query, 100) as statement,
            extract(epoch from now() - xact_start)::float8 as seconds, pg_blocking_pids(pid) as "waitsFor"
       from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()
        and (xact_start < now() - interval '1 s' or pid in (select pid from waited_for))
      order by xact_start nulls first limit 10`,
  );
  return rows;
}

export interface StatementTotal {
  readonly id: string;
  readonly text: string;
  readonly calls: number;
  readonly totalMs: number;
}

/** Everything that this database was asked since it began to count; null where `pg_stat_statements` is not there. */
export async function readStatementTotals(db: Queryable): Promise<StatementTotal[] | null> {
  try {
    const { rows } = await db.query<StatementTotal>(
      `select queryid::text as id, min(query) as text, sum(calls)::float8 as calls, sum(total_exec_time)::float8 as "totalMs"
         from pg_stat_statements join pg_database d on d.oid = dbid where datname = current_database() group by 1`,
    );
    return rows;
  } catch {
    return null; // no extension, not preloaded, or not ours to see
  }
}

/** What was asked between two readings, most time first. */
export function statementsBetween(
  before: readonly StatementTotal[],
  after: readonly StatementTotal[],
  most: number,
): StatementTotal[] {
  const earlier = new Map(before.map((statement) => [statement.id, statement]));
  return after
    .map(({ id, text, calls, totalMs }) => ({
      ...{ id, text },
      calls: calls - (earlier.get(id)?.calls ?? 0),
      totalMs: totalMs - (earlier.get(id)?.totalMs ?? 0),
    }))
    .filter(({ calls }) => calls > 0)
    .sort((a, b) => b.totalMs - a.totalMs)
    .slice(0, most);
}
