import type {
  ActiveDispatch,
  ControlMode,
  EmergencyStop,
  Device,
  DeviceType,
  FeederNode,
  TreeSnapshot,
  PlanSettings,
} from '../domain/fleet';
import { EMERGENCY_STOP } from './emergency-stops';
import { readEnvelopesInForce } from './envelopes';
import type { Queryable } from './pool';
import { QUARANTINE_REASON } from './quarantine';

export interface PolicyNumbers extends Omit<PlanSettings, 'intervalSeconds' | 'setpointTtlSeconds'> {
  readonly setpointTtlSeconds: (intervalSeconds: number) => number;
}

/**
 * One consistent picture of a feeder tree; run it inside one repeatable-read transaction. Times are Postgres' clock.
 * null when the feeder is gone or is no root.
 */
export async function readTreeSnapshot(
  tx: Queryable,
  rootFeederId: string,
  policy: PolicyNumbers,
): Promise<{ enabled: boolean; quarantine: string | null; tree: TreeSnapshot } | null> {
  const feeders = await readFeeders(tx, rootFeederId);
  const root = feeders.find(({ feeder_id }) => feeder_id === rootFeederId);
  if (root === undefined) return null;
  const { setpointTtlSeconds, ...numbers } = policy;
  const tree: TreeSnapshot = {
    nowMs: root.now_ms,
    mode: root.mode,
    settings: {
      ...numbers,
      intervalSeconds: root.interval_seconds,
      setpointTtlSeconds: setpointTtlSeconds(root.interval_seconds),
    },
    feeders: feeders.map(feederNode),
    devices: (await readDevices(tx, rootFeederId)).map((row) => deviceOf(row, root.now_ms)),
    dispatches: (await readDispatches(tx, rootFeederId)).map(activeDispatch),
    envelopes: await readEnvelopesInForce(tx, rootFeederId, root.interval_seconds),
    ...(root.emergency_stop === null ? {} : { emergencyStop: root.emergency_stop }),
  };
  return { enabled: root.enabled, quarantine: root.quarantine, tree };
}

interface FeederRow {
  readonly feeder_id: string;
  readonly parent_id: string | null;
  readonly import_limit_kw: number;
  readonly export_limit_kw: number;
  readonly base_load_kw: number;
  readonly mode: ControlMode;
  readonly interval_seconds: number;
  readonly enabled: boolean;
  readonly quarantine: string | null;
  readonly emergency_stop: EmergencyStop | null;
  readonly now_ms: number;
  readonly flow_kw: number | null;
  readonly age_seconds: number | null;
  readonly high_kw: number | null;
  readonly low_kw: number | null;
  readonly latest_high_kw: number | null;
  readonly latest_low_kw: number | null;
}

const readFeeders = async (tx: Queryable, rootFeederId: string): Promise<FeederRow[]> => {
  const { rows } = await tx.query<FeederRow>(
    `select f.feeder_id, f.parent_id, f.import_limit_kw, f.export_limit_kw, f.base_load_kw, f.mode, f.interval_seconds,
            f.enabled, ${QUARANTINE_REASON} as quarantine, ${EMERGENCY_STOP} as emergency_stop, (extract(epoch from now()) * 1000)::float8 as now_ms,
            m.flow_kw,
            (extract(epoch from now() - m.sampled_at) - least(m.clock_least_ms, m.clock_previous_ms) / 1000.0)::float8 as age_seconds,
            greatest(u.high_kw, u.previous_high_kw) as high_kw,
            least(u.low_kw, u.previous_low_kw) as low_kw, u.latest_high_kw, u.latest_low_kw
       from feeders f
       left join meter_state m using (feeder_id)
       left join feeder_uncontrolled u using (feeder_id)
      where f.root_id = $1 and exists (select 1 from feeders r where r.feeder_id = $1 and r.parent_id is null)
      order by f.feeder_id`,
    [rootFeederId],
  );
  return rows;
};

const feederNode = (row: FeederRow): FeederNode => ({
  feederId: row.feeder_id,
  parentId: row.parent_id,
  importLimitKw: row.import_limit_kw,
  exportLimitKw: row.export_limit_kw,
  baseLoadKw: row.base_load_kw,
  meter:
    row.flow_kw === null || row.age_seconds === null
      ? null
      : {
          flowKw: row.flow_kw,
          ageSeconds: Math.max(0, row.age_seconds),
          lastUncontrolledKw: span(row.latest_high_kw, row.latest_low_kw),
          worstUncontrolledKw: span(row.high_kw, row.low_kw),
        },
});

const span = (highKw: number | null, lowKw: number | null): { highKw: number; lowKw: number } | null =>
  highKw === null || lowKw === null ? null : { highKw, lowKw };

interface DeviceRow {
  readonly device_id: string;
  readonly device_type: DeviceType;
  readonly feeder_id: string;
  readonly max_import_kw: number | null;
  readonly max_export_kw: number | null;
  readonly min_import_kw: number;
  readonly default_power_kw: number | null;
  readonly honours_expiry: boolean;
  readonly weight: number;
  readonly reserve_soc: number;
  readonly target_soc: number;
  readonly scheduled_power_kw: number;
  readonly ramp_kw_per_s: number | null;
  readonly power_kw: number | null;
  readonly soc: number | null;
  readonly sampled_ms: number | null;
  readonly clock_offset_ms: number | null;
  readonly online: boolean | null;
  readonly fault_code: string | null;
  readonly acknowledged_kw: number | null;
  readonly acknowledged_valid_ms: number | null;
  readonly acknowledged_now: boolean | null;
  readonly pending_kw: number | null;
  readonly pending_low_kw: number | null;
  readonly pending_high_kw: number | null;
  readonly pending_valid_ms: number | null;
  readonly off_setpoint_cycles: number | null;
  readonly not_following_ms: number | null;
  readonly moved_ms: number | null;
  readonly moved_from_low_kw: number | null;
  readonly moved_from_high_kw: number | null;
  readonly ran_low_kw: number | null;
  readonly ran_high_kw: number | null;
  readonly waits_since_ms: number | null;
  readonly waited_until_ms: number | null;
}

const readDevices = async (tx: Queryable, rootFeederId: string): Promise<DeviceRow[]> => {
  const { rows } = await tx.query<DeviceRow>(
    `select d.device_id, d.device_type, d.feeder_id, d.max_import_kw, d.max_export_kw, d.min_import_kw, d.default_power_kw,
            d.honours_expiry, d.weight, d.reserve_soc, d.target_soc, d.scheduled_power_kw, d.ramp_kw_per_s,
            s.power_kw, s.soc, (extract(epoch from s.sampled_at) * 1000)::float8 as sampled_ms,
            least(s.clock_least_ms, s.clock_previous_ms)::float8 as clock_offset_ms, s.online, s.fault_code,
            c.acknowledged_kw, (extract(epoch from c.acknowledged_valid_until) * 1000)::float8 as acknowledged_valid_ms,
            c.acknowledged_epoch = (select epoch from broker_session) as acknowledged_now,
            c.pending_kw, c.pending_low_kw, c.pending_high_kw,
            (extract(epoch from c.pending_valid_until) * 1000)::float8 as pending_valid_ms,
            c.off_setpoint_cycles, (extract(epoch from c.not_following_until) * 1000)::float8 as not_following_ms,
            (extract(epoch from c.moved_at) * 1000)::float8 as moved_ms,
            c.moved_from_low_kw, c.moved_from_high_kw, c.ran_low_kw, c.ran_high_kw,
            (extract(epoch from c.waits_since) * 1000)::float8 as waits_since_ms,
            (extract(epoch from c.waited_until) * 1000)::float8 as waited_until_ms
       from feeders f
       join devices d using (feeder_id)
       left join device_state s using (device_key)
       left join device_control c using (device_key)
      where f.root_id = $1 and d.enabled
      order by d.device_id`,
    [rootFeederId],
  );
  return rows;
};

const deviceOf = (row: DeviceRow, nowMs: number): Device => ({
  deviceId: row.device_id,
  deviceType: row.device_type,
  feederId: row.feeder_id,
  maxImportKw: row.max_import_kw,
  maxExportKw: row.max_export_kw,
  minImportKw: row.min_import_kw,
  defaultPowerKw: row.default_power_kw,
  honoursExpiry: row.honours_expiry,
  weight: row.weight,
  reserveSoc: row.reserve_soc,
  targetSoc: row.target_soc,
  scheduledPowerKw: row.scheduled_power_kw,
  rampKwPerS: row.ramp_kw_per_s,
  reading:
    row.power_kw === null || row.sampled_ms === null
      ? null
      : {
          powerKw: row.power_kw,
          soc: row.soc,
          ageSeconds: Math.max(0, (nowMs - row.sampled_ms - (row.clock_offset_ms ?? 0)) / 1000),
          online: row.online === true,
          faultCode: row.fault_code,
        },
  acknowledged:
    row.acknowledged_kw === null || row.acknowledged_valid_ms === null
      ? null
      : { targetKw: row.acknowledged_kw, validUntilMs: row.acknowledged_valid_ms },
  lastMove: lastMoveOf(row),
  pending: pendingOf(row),
  offSetpointCycles: row.off_setpoint_cycles ?? 0,
  notFollowingUntilMs: row.not_following_ms,
  waitsSinceMs: row.waits_since_ms,
  waitedUntilMs: row.waited_until_ms,
});

function lastMoveOf(row: DeviceRow): Device['lastMove'] {
  const { moved_ms, moved_from_low_kw, moved_from_high_kw, ran_low_kw, ran_high_kw } = row;
  if (moved_ms === null || moved_from_low_kw === null || moved_from_high_kw === null) return null;
  if (ran_low_kw === null || ran_high_kw === null) return null;
  return {
    atMs: moved_ms,
    fromLowKw: moved_from_low_kw,
    fromHighKw: moved_from_high_kw,
    ranLowKw: ran_low_kw,
    ranHighKw: ran_high_kw,
  };
}

/** What an older broker session acknowledged may be lost with that broker: it counts as sent, not as acknowledged. */
function pendingOf(row: DeviceRow): Device['pending'] {
  const { pending_kw, pending_low_kw, pending_high_kw, pending_valid_ms } = row;
  if (pending_kw !== null && pending_low_kw !== null && pending_high_kw !== null && pending_valid_ms !== null) {
    return { targetKw: pending_kw, lowKw: pending_low_kw, highKw: pending_high_kw, validUntilMs: pending_valid_ms };
  }
  if (row.acknowledged_kw === null || row.acknowledged_valid_ms === null || row.acknowledged_now !== false) return null;
  return {
    targetKw: row.acknowledged_kw,
    lowKw: row.acknowledged_kw,
    highKw: row.acknowledged_kw,
    validUntilMs: row.acknowledged_valid_ms,
  };
}

interface DispatchRow {
  readonly dispatch_id: string;
  readonly feeder_id: string;
  readonly import_limit_kw: number | null;
  readonly export_limit_kw: number | null;
  readonly target_kw: number | null;
  readonly primacy: number;
  readonly accepted_ms: number;
}

/** In force now; a first start after `expires_at` never happens. */
export const DISPATCH_IN_FORCE = `d.begins_at <= now() and d.ends_at > now()
  and (d.state = 'active' or (d.state = 'scheduled' and (d.expires_at is null or d.expires_at >= now())))`;

const readDispatches = async (tx: Queryable, rootFeederId: string): Promise<DispatchRow[]> => {
  const { rows } = await tx.query<DispatchRow>(
    `select d.dispatch_id, d.feeder_id, d.import_limit_kw, d.export_limit_kw, d.target_kw, d.primacy,
            (extract(epoch from d.accepted_at) * 1000)::float8 as accepted_ms
       from feeders f join dispatches d using (feeder_id)
      where f.root_id = $1 and d.state in ('scheduled', 'active') and ${DISPATCH_IN_FORCE}
      order by d.accepted_at, d.dispatch_id`,
    [rootFeederId],
  );
  return rows;
};

const activeDispatch = (row: DispatchRow): ActiveDispatch => ({
  dispatchId: row.dispatch_id,
  feederId: row.feeder_id,
  importLimitKw: row.import_limit_kw,
  exportLimitKw: row.export_limit_kw,
  targetKw: row.target_kw,
  primacy: row.primacy,
  acceptedAtMs: row.accepted_ms,
});
