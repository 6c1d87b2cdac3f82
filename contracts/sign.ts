import type { DeviceType } from '../domain/fleet';

/**
 * The one place where power is turned round. Inside, positive power flows from the grid into the device.
 * On the wire a PV counts generation positive and everything else counts load positive, unless the
 * registry says that a device counts the other way.
 */
export type Sign = 'load' | 'generator';

export const contractSign = (deviceType: DeviceType): Sign => (deviceType === 'pv' ? 'generator' : 'load');

/** Wire power to inside power and back: the turn is its own inverse. Avoids -0. */
export const turned = (powerKw: number, deviceType: DeviceType, sign: Sign | null): number =>
  (sign ?? contractSign(deviceType)) === 'generator' ? 0 - powerKw : powerKw;
