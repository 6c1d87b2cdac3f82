import type { Device, DeviceReading, PlanSettings } from '../fleet';
import { commandsInForce, ratedPowerKw, type PowerSpan } from './commands';

export interface Following {
  readonly follows: boolean;
  /** It had time to settle and is off its setpoint all the same: what it was told is not what will flow. */
  readonly isOff: boolean;
  /** To be stored for the next cycle. */
  readonly offSetpointCycles: number;
  readonly notFollowingUntilMs: number | null;
}

/**
 * Whether a device does what it was told. A PV below its cap and an EV below its allowance do. A sample that was
 * taken before the command was sent proves nothing and leaves the count as it is.
 */
export function following(
  device: Device,
  reading: DeviceReading | null,
  nowMs: number,
  settings: PlanSettings,
): Following {
  const { notFollowingUntilMs } = device;
  if (notFollowingUntilMs !== null && nowMs < notFollowingUntilMs) {
    return { follows: false, isOff: true, offSetpointCycles: device.offSetpointCycles, notFollowingUntilMs };
  }
  const before = notFollowingUntilMs === null ? device.offSetpointCycles : 0;
  const isOff = reading === null ? null : isOffSetpoint(device, reading, nowMs, settings);
  const offSetpointCycles = isOff === null ? before : isOff ? before + 1 : 0;
  if (offSetpointCycles < settings.notFollowingAfterCycles) {
    const isSettled = reading !== null && hasSettled(device, reading, nowMs, settings);
    return { follows: true, isOff: isOff === true && isSettled, offSetpointCycles, notFollowingUntilMs: null };
  }
  const retryAtMs = nowMs + settings.notFollowingRetrySeconds * 1000;
  return { follows: false, isOff: true, offSetpointCycles, notFollowingUntilMs: retryAtMs };
}

const hasSettled = ({ lastMove }: Device, reading: DeviceReading, nowMs: number, settings: PlanSettings): boolean =>
  lastMove === null || nowMs - reading.ageSeconds * 1000 >= lastMove.atMs + settings.settleSeconds * 1000;

/** null when this sample cannot tell: no command in force, or an older sample than the command. */
function isOffSetpoint(device: Device, reading: DeviceReading, nowMs: number, settings: PlanSettings): boolean | null {
  const asked = commandsInForce(device, nowMs);
  if (asked === null || nowMs - reading.ageSeconds * 1000 < sentAtMs(device, settings)) return null;
  const tolerance = Math.max(
    settings.followingToleranceKw,
    settings.followingToleranceShare * (ratedPowerKw(device) ?? 0),
  );
  return distance(device, reading.powerKw, asked) > tolerance;
}

function distance({ deviceType }: Device, powerKw: number, { lowKw, highKw }: PowerSpan): number {
  switch (deviceType) {
    case 'battery':
      return Math.max(powerKw - highKw, lowKw - powerKw);
    case 'ev':
      return powerKw - highKw;
    case 'pv':
      return lowKw - powerKw;
  }
}

/** When the newest command went out: its validity less a setpoint's life. */
const sentAtMs = ({ acknowledged, pending }: Device, { setpointTtlSeconds }: PlanSettings): number =>
  Math.max(acknowledged?.validUntilMs ?? -Infinity, pending?.validUntilMs ?? -Infinity) - setpointTtlSeconds * 1000;
