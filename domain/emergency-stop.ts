import { defaultPowerKw, type DeviceDefaults } from './default-power';
import type { DeviceType, SafeState } from './fleet';

export const SAFE_STATES: readonly SafeState[] = ['default', 'zero'];

/** A device, and where a stop sends it. */
export interface DeviceToStop {
  readonly deviceType: DeviceType;
  readonly deviceId: string;
  /** As the registry says it; null = as the contract counts. */
  readonly sign: 'load' | 'generator' | null;
  /** kW in the inside sign; null: nobody knows. */
  readonly safeKw: number | null;
}

/** What a device is told by a stop, kW in the inside sign; null where nobody knows its default: a PV without a rating. */
export const safePowerKw = (device: DeviceDefaults, safeState: SafeState): number | null =>
  safeState === 'zero' ? 0 : defaultPowerKw(device);
