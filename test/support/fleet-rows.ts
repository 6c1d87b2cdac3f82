import type { Database } from '../../db/pool';

/** Puts a feeder into the registry; limits 100 kW unless told otherwise. */
export async function addFeeder(
  db: Database,
  feederId: string,
  given: { parentId?: string; rootId?: string; importLimitKw?: number; intervalSeconds?: number; mode?: string } = {},
): Promise<void> {
  await db.query(
    `insert into feeders (feeder_id, parent_id, root_id, import_limit_kw, export_limit_kw, interval_seconds, mode, origin)
     values ($1, $2, $3, $4, 100, $5, $6, 'registry')`,
    [
      feederId,
      given.parentId ?? null,
      given.rootId ?? feederId,
      given.importLimitKw ?? 100,
      given.intervalSeconds ?? 10,
      given.mode ?? 'automatic',
    ],
  );
}

/** Puts an EV charger of 22 kW into the registry, measured now unless told otherwise. */
export async function addEv(
  db: Database,
  deviceId: string,
  feederId: string,
  given: { powerKw?: number; ageSeconds?: number; clockOffsetMs?: number } = {},
): Promise<void> {
  await db.query(
    `with device as (
       insert into devices (device_id, device_type, feeder_id, max_import_kw, max_export_kw, feeder_origin, rating_origin)
       values ($1, 'ev', $2, 22, 0, 'registry', 'registry') returning device_key)
     insert into device_state (device_key, sampled_at, received_at, message_id, power_kw, soc, online, clock_half_hour, clock_least_ms)
     select device_key, now() - make_interval(secs => $4), now(), gen_random_uuid(), $3, 0.4, true, 0, $5 from device`,
    [deviceId, feederId, given.powerKw ?? 0, given.ageSeconds ?? 0, given.clockOffsetMs ?? 0],
  );
}
