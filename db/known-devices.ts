import type { Queryable } from './pool';

/** Of every device in the registry: `deviceType/deviceId`. */
export async function readKnownDevices(db: Queryable): Promise<ReadonlySet<string>> {
  const { rows } = await db.query<{ device: string }>(`select device_type || '/' || device_id as device from devices`);
  return new Set(rows.map(({ device }) => device));
}
