import { DermsError } from '../domain/errors';
import type { DeviceType } from '../domain/fleet';
import {
  SELECT_DEVICES,
  toDeviceRecord,
  type DeviceRecord,
  type DeviceRow,
  type DeviceState,
  type SilenceLimits,
} from './device-record';
import type { Queryable } from './pool';

export interface DeviceFilter {
  readonly feederId: string | null;
  readonly deviceType: DeviceType | null;
  readonly state: DeviceState | 'not-following' | null;
  /** Devices with a greater id only. */
  readonly afterId: string | null;
  readonly limit: number;
}

/** By id; `feederId` takes the devices of the whole subtree. */
export async function listDevices(
  db: Queryable,
  filter: DeviceFilter,
  silence: SilenceLimits,
): Promise<DeviceRecord[]> {
  const { rows } = await db.query<DeviceRow>(
    `with recursive below as (
       select feeder_id from feeders where feeder_id = $3
       union select f.feeder_id from feeders f join below b on f.parent_id = b.feeder_id
     )
     select * from (${SELECT_DEVICES}) d
      where ($3::text is null or feeder_id in (select feeder_id from below))
        and ($4::text is null or device_type = $4)
        and ($5::text is null or state = $5 or ($5 = 'not-following' and not_following))
        and ($6::text is null or device_id > $6)
      order by device_id limit $7`,
    [
      silence.staleSeconds,
      silence.offlineSeconds,
      filter.feederId,
      filter.deviceType,
      filter.state,
      filter.afterId,
      filter.limit,
    ],
  );
  return rows.map(toDeviceRecord);
}

/** @throws {DermsError} DEVICE_NOT_FOUND */
export async function readDevice(db: Queryable, deviceId: string, silence: SilenceLimits): Promise<DeviceRecord> {
  const { rows } = await db.query<DeviceRow>(`${SELECT_DEVICES} where d.device_id = $3`, [
    silence.staleSeconds,
    silence.offlineSeconds,
    deviceId,
  ]);
  if (rows[0] === undefined) throw new DermsError('DEVICE_NOT_FOUND', `There is no device ${deviceId}.`);
  return toDeviceRecord(rows[0]);
}

/** Devices right at a feeder, by how they are. Those that are not enabled count nowhere. */
export interface DeviceCounts {
  readonly feederId: string;
  readonly rootFeederId: string;
  readonly total: number;
  readonly online: number;
  readonly stale: number;
  readonly offline: number;
  readonly notFollowing: number;
}

export async function countDevices(
  db: Queryable,
  silence: SilenceLimits,
  rootFeederId: string | null = null,
): Promise<DeviceCounts[]> {
  const { rows } = await db.query<DeviceCounts>(
    `select feeder_id as "feederId", root_id as "rootFeederId", count(*)::int as total,
            (count(*) filter (where state = 'online'))::int as online,
            (count(*) filter (where state = 'stale'))::int as stale,
            (count(*) filter (where state = 'offline'))::int as offline,
            (count(*) filter (where not_following))::int as "notFollowing"
       from (${SELECT_DEVICES}) d
      where enabled and ($3::text is null or root_id = $3)
      group by feeder_id, root_id`,
    [silence.staleSeconds, silence.offlineSeconds, rootFeederId],
  );
  return rows;
}

/** Ids of offline devices, at most `limit` of each tree; for health, which names them. */
export async function listOfflineDevices(
  db: Queryable,
  silence: SilenceLimits,
  limit: number,
): Promise<{ readonly rootFeederId: string; readonly deviceId: string }[]> {
  const { rows } = await db.query<{ rootFeederId: string; deviceId: string }>(
    `select root_id as "rootFeederId", device_id as "deviceId"
       from (select root_id, device_id, row_number() over (partition by root_id order by device_id) as place
               from (${SELECT_DEVICES}) d where enabled and state = 'offline') ranked
      where place <= $3 order by root_id, device_id`,
    [silence.staleSeconds, silence.offlineSeconds, limit],
  );
  return rows;
}
