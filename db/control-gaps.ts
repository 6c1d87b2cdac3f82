import type { Queryable } from './pool';

/** How one loop has kept its ticks. */
export interface LoopGaps {
  readonly rootFeederId: string;
  readonly intervalSeconds: number;
  /** Between two stored cycles, or since the last one, s. */
  readonly longestGapSeconds: number;
  /** Nominal ticks that a cycle stands for, and those that were counted as missed. */
  readonly servedTicks: number;
  readonly missedTicks: number;
  /** Ticks of neither kind: there must be none. */
  readonly uncountedTicks: number;
}

/** Each loop's longest gap and its ticks since that moment, from its stored cycles; the cycle before it is where a gap begins. */
export async function controlGaps(db: Queryable, sinceMs: number): Promise<LoopGaps[]> {
  const { rows } = await db.query<LoopGaps>(
    `with steps as (
       select root_feeder_id, interval_seconds, planned_at, missed_ticks,
              extract(epoch from planned_at - lag(planned_at) over loop)::float8 as gap,
              case when lag(interval_seconds) over loop = interval_seconds
                   then round(extract(epoch from tick_at - lag(tick_at) over loop) / interval_seconds)::int else 1 end as slots
         from control_cycles where planned_at > to_timestamp($1 / 1000.0) - interval '30 minutes'
       window loop as (partition by root_feeder_id order by planned_at))
     select root_feeder_id as "rootFeederId", max(interval_seconds)::int as "intervalSeconds",
            greatest(max(gap), extract(epoch from now() - max(planned_at))::float8) as "longestGapSeconds",
            count(*) filter (where slots > 0)::int as "servedTicks", sum(missed_ticks)::int as "missedTicks",
            sum(greatest(0, slots - 1 - missed_ticks))::int as "uncountedTicks"
       from steps where planned_at > to_timestamp($1 / 1000.0) and gap is not null group by 1 order by 1`,
    [sinceMs],
  );
  return rows;
}

/** The newest cycle of each enabled loop; `plannedAtMs` is null while it has none. */
export interface NewestCycle {
  readonly rootFeederId: string;
  readonly intervalSeconds: number;
  readonly chainId: string | null;
  readonly cycle: number | null;
  readonly plannedAtMs: number | null;
  readonly nowMs: number;
}

export async function newestCycles(db: Queryable): Promise<NewestCycle[]> {
  const { rows } = await db.query<NewestCycle>(
    `select f.feeder_id as "rootFeederId", f.interval_seconds as "intervalSeconds", l.chain_id as "chainId",
            l.cycle::float8 as cycle, (extract(epoch from l.planned_at) * 1000)::float8 as "plannedAtMs",
            (extract(epoch from now()) * 1000)::float8 as "nowMs"
       from feeders f left join control_loops l on l.root_feeder_id = f.feeder_id
      where f.parent_id is null and f.enabled order by 1`,
  );
  return rows;
}

/** Whether the cycle is stored. */
export async function isCycleStored(
  db: Queryable,
  { rootFeederId, chainId, cycle }: Pick<NewestCycle, 'rootFeederId' | 'chainId' | 'cycle'>,
): Promise<boolean> {
  const { rowCount } = await db.query(
    'select from control_cycles where root_feeder_id = $1 and chain_id = $2 and cycle = $3',
    [rootFeederId, chainId, cycle],
  );
  return rowCount === 1;
}

/** Devices whose newest setpoint the broker has not acknowledged for longer than two intervals: the next cycles send it again. */
export async function stuckSetpoints(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ device_id: string }>(
    `select d.device_id
       from device_control c join devices d using (device_key)
       join feeders f using (feeder_id) join feeders r on r.feeder_id = f.root_id
      where c.pending_plan_id is not null and r.enabled
        and not exists (select from control_cycles y
                         where y.root_feeder_id = r.feeder_id and y.plan_id = c.pending_plan_id
                           and y.planned_at > now() - 2 * make_interval(secs => r.interval_seconds))`,
  );
  return rows.map(({ device_id }) => device_id);
}
