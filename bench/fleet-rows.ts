import type { Database } from '../db/pool';

/** Chargers of 22 kW under one root, all live and all wanting power: whatever the limit, each change of it moves them all. */
export async function addChargers(db: Database, rootFeederId: string, count: number): Promise<void> {
  await db.query(
    `insert into feeders (feeder_id, root_id, import_limit_kw, export_limit_kw, interval_seconds, origin)
     values ($1, $1, $2, 1e6, 600, 'registry')`,
    [rootFeederId, count * 10],
  );
  await db.query(
    `with chargers as (
       insert into devices (device_id, device_type, feeder_id, max_import_kw, max_export_kw, feeder_origin, rating_origin)
       select $1 || '-' || lpad(n::text, 6, '0'), 'ev', $1, 22, 0, 'registry', 'registry' from generate_series(1, $2::int) n
       returning device_key)
     insert into device_state (device_key, sampled_at, received_at, message_id, power_kw, soc, online, clock_half_hour, clock_least_ms)
     select device_key, now(), now(), gen_random_uuid(), 5, 0.4, true, 0, 0 from chargers`,
    [rootFeederId, count],
  );
  await db.query('analyze');
}

/** As if every device had just reported. */
export const refreshStates = (db: Database): Promise<unknown> =>
  db.query('update device_state set sampled_at = now(), received_at = now()');

/** Another limit, so that every setpoint of the tree changes. */
export const setImportLimit = (db: Database, rootFeederId: string, limitKw: number): Promise<unknown> =>
  db.query('update feeders set import_limit_kw = $2 where feeder_id = $1', [rootFeederId, limitKw]);
