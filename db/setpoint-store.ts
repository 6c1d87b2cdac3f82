import type { PendingSetpoint, PublishJob, PublishNode } from '../domain/control-cycle';
import type { DeviceType } from '../domain/fleet';
import type { NodePlan } from '../domain/plan';
import type { Database } from './pool';
import { EMERGENCY_STOP_ID } from './emergency-stops';
import { QUARANTINE_REASON } from './quarantine';
import { DermsError } from '../domain/errors';

/** Setpoints on their way to the broker. */
export const createSetpointStore = (db: Database) => ({
  /**
   * null when the plan is not the newest of its root any more, or an emergency stop came or went since.
   *
   * @throws {DermsError} QUARANTINED
   */
  load: (rootFeederId: string, planId: string) => load(db, rootFeederId, planId),

  /** false too when the database was quarantined meanwhile, or an emergency stop came or went. */
  async isNewest(rootFeederId: string, planId: string): Promise<boolean> {
    const { rows } = await db.query<{ newest: boolean }>(
      `select plan_id = $2 and ${QUARANTINE_REASON} is null and emergency_stop_id is not distinct from ${EMERGENCY_STOP_ID}
              as newest
         from control_loops where root_feeder_id = $1`,
      [rootFeederId, planId],
    );
    return rows[0]?.newest === true;
  },

  /** Records what the broker has; only what this very plan sent, so a late answer never overwrites a newer plan. */
  async acknowledge(planId: string, plannedAtMs: number, epoch: number, deviceIds: readonly string[]): Promise<void> {
    await db.query(
      `with acknowledged as (
         update device_control c set
           acknowledged_kw = c.pending_kw, acknowledged_valid_until = c.pending_valid_until, acknowledged_at = now(),
           acknowledged_plan_id = $1, acknowledged_epoch = $3,
           pending_kw = null, pending_low_kw = null, pending_high_kw = null, pending_valid_until = null, pending_plan_id = null
          from devices d
         where d.device_id = any($2::text[]) and c.device_key = d.device_key and c.pending_plan_id = $1
        returning c.device_key)
       update setpoints s set acknowledged_at = now() from acknowledged a
        where s.device_key = a.device_key and s.plan_id = $1
          and s.planned_at between to_timestamp($4 / 1000.0) - interval '1 ms' and to_timestamp($4 / 1000.0) + interval '1 ms'`,
      [planId, deviceIds, epoch, plannedAtMs],
    );
  },

  async finish(rootFeederId: string, planId: string): Promise<void> {
    await db.query(
      `update control_loops l set
         finished_at = now(), finished_cycle = cycle,
         on_time_ticks = on_time_ticks + (unjudged and in_time)::int,
         late_ticks = late_ticks + (unjudged and not in_time)::int,
         judged_tick_at = greatest(judged_tick_at, tick_at)
        from (select root_feeder_id as id, tick_at > coalesce(judged_tick_at, '-infinity') as unjudged,
                     now() <= tick_at + make_interval(secs => interval_seconds) as in_time
                from control_loops where root_feeder_id = $1 and plan_id = $2 for update) tick
       where l.root_feeder_id = tick.id`,
      [rootFeederId, planId],
    );
  },

  /** A publisher of ours has a new broker session: what older ones acknowledged counts as not acknowledged. */
  async beginBrokerSession(): Promise<void> {
    await db.query('update broker_session set epoch = epoch + 1, started_at = now()');
  },
});

async function load(db: Database, rootFeederId: string, planId: string): Promise<PublishJob | null> {
  return db.transaction(
    async (tx) => {
      const loop = await tx.query<LoopRow>(
        `select (extract(epoch from planned_at) * 1000)::float8 as planned_ms, nodes, (select epoch from broker_session) as epoch,
                ${QUARANTINE_REASON} as quarantine, emergency_stop_id
           from control_loops
          where root_feeder_id = $1 and plan_id = $2 and emergency_stop_id is not distinct from ${EMERGENCY_STOP_ID}`,
        [rootFeederId, planId],
      );
      const [row] = loop.rows;
      if (row === undefined) return null;
      if (row.quarantine !== null)
        throw new DermsError('QUARANTINED', `nothing is published from a quarantined database: ${row.quarantine}`);
      const parents = await tx.query<{ feeder_id: string; parent_id: string | null }>(
        'select feeder_id, parent_id from feeders where root_id = $1',
        [rootFeederId],
      );
      const parentOf = new Map(parents.rows.map(({ feeder_id, parent_id }) => [feeder_id, parent_id]));
      const { rows } = await tx.query<SetpointRow>(PENDING_OF_PLAN, [rootFeederId, planId]);
      return {
        plannedAtMs: row.planned_ms,
        epoch: row.epoch,
        emergencyStopId: row.emergency_stop_id,
        nodes: row.nodes.map((node) => publishNode(node, parentOf.get(node.feederId) ?? null)),
        setpoints: rows.map(pendingSetpoint),
      };
    },
    { isolation: 'repeatable read', readOnly: true },
  );
}

interface LoopRow {
  readonly planned_ms: number;
  readonly epoch: number;
  readonly nodes: NodePlan[];
  readonly quarantine: string | null;
  readonly emergency_stop_id: string | null;
}

interface SetpointRow {
  readonly device_id: string;
  readonly device_type: DeviceType;
  readonly feeder_id: string;
  readonly sign: 'load' | 'generator' | null;
  readonly ramp_kw_per_s: number | null;
  readonly pending_kw: number;
  readonly valid_ms: number;
  readonly from_low_kw: number;
  readonly from_high_kw: number;
  readonly bound_by: string | null;
  readonly note: string | null;
}

/** A device that was never commanded may be anywhere it measures or defaults to. */
const PENDING_OF_PLAN = `
  select d.device_id, d.device_type, d.feeder_id, d.sign, d.ramp_kw_per_s, c.pending_kw,
         (extract(epoch from c.pending_valid_until) * 1000)::float8 as valid_ms,
         coalesce(least(c.acknowledged_kw, case when c.pending_low_kw < c.pending_kw then c.pending_low_kw end),
                  least(st.power_kw, 0), c.pending_kw) as from_low_kw,
         coalesce(greatest(c.acknowledged_kw, case when c.pending_high_kw > c.pending_kw then c.pending_high_kw end),
                  greatest(st.power_kw, 0), c.pending_kw) as from_high_kw,
         s.bound_by, s.note
    from feeders f
    join devices d using (feeder_id)
    join device_control c using (device_key)
    left join device_state st using (device_key)
    left join setpoints s on s.device_key = c.device_key and s.plan_id = $2
         and s.planned_at = (select planned_at from control_loops where root_feeder_id = $1)
   where f.root_id = $1 and c.pending_plan_id = $2
   order by d.device_id`;

const pendingSetpoint = (row: SetpointRow): PendingSetpoint => ({
  deviceId: row.device_id,
  deviceType: row.device_type,
  feederId: row.feeder_id,
  sign: row.sign,
  targetKw: row.pending_kw,
  validUntilMs: Math.round(row.valid_ms),
  rampKwPerS: row.ramp_kw_per_s,
  fromLowKw: row.from_low_kw,
  fromHighKw: row.from_high_kw,
  notes: row.bound_by === null ? (row.note ?? 'renewal') : `bound by ${row.bound_by}`,
});

const publishNode = (node: NodePlan, parentId: string | null): PublishNode => ({
  feederId: node.feederId,
  parentId,
  highKw: node.high.kw,
  lowKw: node.low.kw,
  plannedHighKw: node.plannedHighKw,
  plannedLowKw: node.plannedLowKw,
});
