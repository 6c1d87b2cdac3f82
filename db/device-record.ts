import type { DeviceType } from '../domain/fleet';

/** When a silent device counts as stale and as offline, s. */
export interface SilenceLimits {
  readonly staleSeconds: number;
  readonly offlineSeconds: number;
}

export type DeviceState = 'online' | 'stale' | 'offline';

/** What the registry says of a device and people may set. kW in the inside sign. */
export interface DeviceFields {
  readonly feederId: string;
  readonly name: string | null;
  readonly sign: 'load' | 'generator' | null;
  readonly maxImportKw: number | null;
  readonly maxExportKw: number | null;
  readonly minImportKw: number;
  readonly defaultPowerKw: number | null;
  readonly honoursExpiry: boolean;
  readonly weight: number;
  readonly reserveSoc: number;
  readonly targetSoc: number;
  readonly scheduledPowerKw: number;
  readonly rampKwPerS: number | null;
  readonly enabled: boolean;
}

export interface DeviceRecord extends DeviceFields {
  readonly deviceId: string;
  readonly deviceType: DeviceType;
  readonly rootFeederId: string;
  readonly feederOrigin: 'registry' | 'wire';
  readonly ratingOrigin: 'registry' | 'wire';
  readonly revision: number;
  readonly updatedAt: string;
  readonly state: DeviceState;
  readonly notFollowing: boolean;
  /** null before its first sample. */
  readonly reading: {
    readonly sampledAt: string;
    readonly ageSeconds: number;
    readonly powerKw: number;
    readonly soc: number | null;
    readonly online: boolean;
    readonly faultCode: string | null;
    /** How far its clock is behind ours, s; negative when it is ahead. */
    readonly clockOffsetSeconds: number;
  } | null;
  /** The last one that the broker acknowledged. */
  readonly setpoint: {
    readonly targetKw: number;
    readonly validUntil: string;
    readonly acknowledgedAt: string | null;
  } | null;
}

export interface DeviceRow {
  device_id: string;
  device_type: DeviceType;
  feeder_id: string;
  root_id: string;
  name: string | null;
  sign: 'load' | 'generator' | null;
  max_import_kw: number | null;
  max_export_kw: number | null;
  min_import_kw: number;
  default_power_kw: number | null;
  honours_expiry: boolean;
  weight: number;
  reserve_soc: number;
  target_soc: number;
  scheduled_power_kw: number;
  ramp_kw_per_s: number | null;
  enabled: boolean;
  feeder_origin: 'registry' | 'wire';
  rating_origin: 'registry' | 'wire';
  revision: number;
  updated_at: Date;
  sampled_at: Date | null;
  age_seconds: number;
  clock_offset_seconds: number;
  power_kw: number;
  soc: number | null;
  online: boolean;
  fault_code: string | null;
  acknowledged_kw: number | null;
  acknowledged_valid_until: Date | null;
  acknowledged_at: Date | null;
  not_following: boolean;
  state: DeviceState;
}

/**
 * $1 stale and $2 offline after so many seconds. Age = now - sampled - clock offset, the offset being the least receive
 * delay of the last half hours: a device whose clock is wrong is not taken for silent.
 */
export const SELECT_DEVICES = `
  select d.device_id, d.device_type, d.feeder_id, f.root_id, d.name, d.sign, d.max_import_kw, d.max_export_kw,
         d.min_import_kw, d.default_power_kw, d.honours_expiry, d.weight, d.reserve_soc, d.target_soc,
         d.scheduled_power_kw, d.ramp_kw_per_s, d.enabled, d.feeder_origin, d.rating_origin, d.revision, d.updated_at,
         s.sampled_at, aged.age_seconds, aged.clock_offset_seconds, s.power_kw, s.soc, s.online, s.fault_code,
         c.acknowledged_kw, c.acknowledged_valid_until, c.acknowledged_at,
         coalesce(c.not_following_until > now(), false) as not_following,
         case when s.device_key is null or not s.online or aged.age_seconds > $2::float8 then 'offline'
              when aged.age_seconds > $1::float8 then 'stale'
              else 'online' end as state
    from devices d
    join feeders f on f.feeder_id = d.feeder_id
    left join device_state s on s.device_key = d.device_key
    left join device_control c on c.device_key = d.device_key
    left join lateral (
      select least(s.clock_least_ms, s.clock_previous_ms)::float8 / 1000 as clock_offset_seconds,
             extract(epoch from now() - s.sampled_at)::float8
               - least(s.clock_least_ms, s.clock_previous_ms)::float8 / 1000 as age_seconds
    ) aged on true`;

/** Exactly what people may set. */
export const settableFields = (device: DeviceFields): DeviceFields => ({
  feederId: device.feederId,
  name: device.name,
  sign: device.sign,
  maxImportKw: device.maxImportKw,
  maxExportKw: device.maxExportKw,
  minImportKw: device.minImportKw,
  defaultPowerKw: device.defaultPowerKw,
  honoursExpiry: device.honoursExpiry,
  weight: device.weight,
  reserveSoc: device.reserveSoc,
  targetSoc: device.targetSoc,
  scheduledPowerKw: device.scheduledPowerKw,
  rampKwPerS: device.rampKwPerS,
  enabled: device.enabled,
});

export const toDeviceRecord = (row: DeviceRow): DeviceRecord => ({
  deviceId: row.device_id,
  deviceType: row.device_type,
  feederId: row.feeder_id,
  rootFeederId: row.root_id,
  name: row.name,
  sign: row.sign,
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
  enabled: row.enabled,
  feederOrigin: row.feeder_origin,
  ratingOrigin: row.rating_origin,
  revision: row.revision,
  updatedAt: row.updated_at.toISOString(),
  state: row.state,
  notFollowing: row.not_following,
  reading:
    row.sampled_at === null
      ? null
      : {
          sampledAt: row.sampled_at.toISOString(),
          ageSeconds: row.age_seconds,
          powerKw: row.power_kw,
          soc: row.soc,
          online: row.online,
          faultCode: row.fault_code,
          clockOffsetSeconds: row.clock_offset_seconds,
        },
  setpoint:
    row.acknowledged_kw === null || row.acknowledged_valid_until === null
      ? null
      : {
          targetKw: row.acknowledged_kw,
          validUntil: row.acknowledged_valid_until.toISOString(),
          acknowledgedAt: row.acknowledged_at?.toISOString() ?? null,
        },
});
