import { safePowerKw, type DeviceToStop } from '../domain/emergency-stop';
import type { DeviceType, SafeState } from '../domain/fleet';
import type { Queryable } from './pool';

/** Every device that is steered, with the target that the stop has for it. */
export async function readDevicesToStop(db: Queryable, safeState: SafeState): Promise<DeviceToStop[]> {
  const { rows } = await db.query<{
    device_type: DeviceType;
    device_id: string;
    sign: 'load' | 'generator' | null;
    max_export_kw: number | null;
    default_power_kw: number | null;
  }>('select device_type, device_id, sign, max_export_kw, default_power_kw from devices where enabled');
  return rows.map(({ device_type: deviceType, device_id: deviceId, sign, ...row }) => {
    const device = { deviceType, maxExportKw: row.max_export_kw, defaultPowerKw: row.default_power_kw };
    return { deviceType, deviceId, sign, safeKw: safePowerKw(device, safeState) };
  });
}
