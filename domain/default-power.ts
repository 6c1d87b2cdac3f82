import type { Device } from './fleet';

export type DeviceDefaults = Pick<Device, 'defaultPowerKw' | 'deviceType' | 'maxExportKw'>;

/**
 * What a device does when no valid command is in force, kW in the inside sign: what the registry says, else
 * EV 0, battery 0, PV its rating. null for a PV that nobody has rated.
 */
export function defaultPowerKw({ defaultPowerKw, deviceType, maxExportKw }: DeviceDefaults): number | null {
  if (defaultPowerKw !== null) return defaultPowerKw;
  switch (deviceType) {
    case 'ev':
    case 'battery':
      return 0;
    case 'pv':
      return maxExportKw === null ? null : -maxExportKw;
  }
}
