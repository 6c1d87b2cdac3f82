import { controlGaps } from '../db/control-gaps';
import type { Database } from '../db/pool';
import type {
  DispatchRecords,
  LimitRecords,
  LoopRecord,
  RunRecord,
  StandingSetpoint,
  StoredPlan,
  StoredReading,
} from './records';

/** A time as ms. */
const ms = (column: string): string => `(extract(epoch from ${column}) * 1000)::float8`;

export async function storedReadings(db: Database): Promise<StoredReading[]> {
  const { rows } = await db.query<StoredReading & Record<string, unknown>>(
    `select device_id as "deviceId", round(${ms('sampled_at')}) as "sampledAtMs", ${ms('received_at')} as "receivedAtMs"
       from telemetry join devices using (device_key) order by received_at`,
  );
  return rows;
}

export async function storedPlans(db: Database): Promise<StoredPlan[]> {
  const { rows } = await db.query<StoredPlan & Record<string, unknown>>(
    `select plan_id as "planId", root_feeder_id as "rootFeederId", chain_id as "chainId", cycle::float8 as cycle,
            ${ms('planned_at')} as "plannedAtMs", interval_seconds as "intervalSeconds"
       from control_cycles order by planned_at`,
  );
  return rows;
}

export async function standingSetpoints(db: Database): Promise<StandingSetpoint[]> {
  const { rows } = await db.query<StandingSetpoint & Record<string, unknown>>(
    `select device_id as "deviceId", acknowledged_plan_id as "planId", ${ms('acknowledged_valid_until')} as "validUntilMs"
       from devices join device_control using (device_key)
      where acknowledged_valid_until > now() and pending_plan_id is null`,
  );
  return rows;
}

export async function feederLimits(db: Database): Promise<Omit<LimitRecords, 'flows'>> {
  const { rows: feeders } = await db.query<LimitRecords['feeders'][number] & Record<string, unknown>>(
    `select feeder_id as "feederId", root_id as "rootFeederId", import_limit_kw as "importLimitKw",
            export_limit_kw as "exportLimitKw" from feeders order by 1`,
  );
  const { rows: devices } = await db.query<LimitRecords['devices'][number] & Record<string, unknown>>(
    `select device_id as "deviceId", root_id as "rootFeederId" from devices join feeders using (feeder_id) order by 1`,
  );
  return { feeders, devices };
}

export async function storedDispatches(db: Database): Promise<DispatchRecords['stored']> {
  const { rows } = await db.query<DispatchRecords['stored'][number] & Record<string, unknown>>(
    `select dispatch_id as "dispatchId", feeder_id as "feederId", d.state, ${ms('begins_at')} as "beginsAtMs",
            ${ms('ends_at')} as "endsAtMs", import_limit_kw as "importLimitKw", export_limit_kw as "exportLimitKw",
            report is not null as "hasReport",
            (select json_agg(json_build_object('revision', h.revision, 'state', h.state, 'reason', h.reason,
                                               'atMs', ${ms('h.at')}) order by h.revision)
               from dispatch_history h where h.dispatch_id = d.dispatch_id) as history
       from dispatches d order by accepted_at`,
  );
  return rows;
}

export async function openDispatches(db: Database): Promise<number> {
  const { rows } = await db.query<{ open: number }>(
    `select count(*)::int as open from dispatches where state in ('requested', 'awaiting-approval', 'scheduled', 'active')`,
  );
  return rows[0]?.open ?? 0;
}

export async function jobRuns(db: Database, runIds: readonly string[]): Promise<RunRecord[]> {
  const { rows } = await db.query<RunRecord & Record<string, unknown>>(
    `select run_id as "runId", job_name as "jobName", state, finished_at is not null as finished,
            failure->>'message' as reason from job_runs where run_id = any ($1)`,
    [runIds],
  );
  return rows;
}

export async function loopRecords(db: Database, sinceMs: number): Promise<LoopRecord[]> {
  const { rows } = await db.query<{ root: string; at: number }>(
    `select root_feeder_id as root, ${ms('max(planned_at)')} as at from control_cycles group by 1`,
  );
  const newest = new Map(rows.map(({ root, at }) => [root, at]));
  const gaps = await controlGaps(db, sinceMs);
  return gaps.map(({ rootFeederId, intervalSeconds, servedTicks, missedTicks, uncountedTicks }) => ({
    ...{ rootFeederId, intervalSeconds, servedTicks, missedTicks, uncountedTicks },
    newestCycleAtMs: newest.get(rootFeederId) ?? 0,
  }));
}

/** How many devices have been heard of, and the fewest cycles that a loop has planned since. */
export async function liveliness(
  db: Database,
  sinceMs: number,
): Promise<{ readonly devices: number; readonly heard: number; readonly cycles: number }> {
  const { rows } = await db.query<{ devices: number; heard: number; cycles: number }>(
    `select (select count(*)::int from devices) as devices,
            (select count(*)::int from device_state where received_at > to_timestamp($1 / 1000.0)) as heard,
            coalesce((select min(n)::int from (select count(c.cycle) as n from feeders f left join control_cycles c
               on c.root_feeder_id = f.feeder_id and c.planned_at > to_timestamp($1 / 1000.0)
              where f.parent_id is null group by f.feeder_id) s), 0) as cycles`,
    [sinceMs],
  );
  return rows[0] ?? { devices: 0, heard: 0, cycles: 0 };
}

/** Sessions of the application at the server. */
export async function sessions(db: Database): Promise<number> {
  const { rows } = await db.query<{ sessions: number }>(
    `select count(*)::int as sessions from pg_stat_activity where backend_type = 'client backend'`,
  );
  return rows[0]?.sessions ?? 0;
}
