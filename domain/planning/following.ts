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
    const isExcused = reading === null || isOnItsWay(device, reading, nowMs, settings);
    return { follows: true, isOff: isOff === true && !isExcused, offSetpointCycles, notFollowingUntilMs: null };
  }
  const retryAtMs = nowMs + settings.notFollowingRetrySeconds * 1000;
  return { follows: false, isOff: true, offSetpointCycles, notFollowingUntilMs: retryAtMs };
}

/** It was told to move too short a time ago to be there, and stands between where it came from and where it goes. */
function isOnItsWay(
  device: Device,
  { powerKw, ageSeconds }: DeviceReading,
  nowMs: number,
  settings: PlanSettings,
): boolean {
  const { lastMove } = device;
  const asked = commandsInForce(device, nowMs);
  if (lastMove === null || asked === null) return false;
  if (nowMs - ageSeconds * 1000 >= lastMove.atMs + settings.settleSeconds * 1000) return false;
  const way = {
    lowKw: Math.min(asked.lowKw, lastMove.fromLowKw, lastMove.ranLowKw),
    highKw: Math.max(asked.highKw, lastMove.fromHighKw, lastMove.ranHighKw),
  };
  return distance(device, powerKw, way) <= toleranceKw(device, settings);
}

/** null when this sample cannot tell: no command in force, or an older sample than the command. */
function isOffSetpoint(device: Device, reading: DeviceReading, nowMs: number, settings: PlanSettings): boolean | null {
  const asked = commandsInForce(device, nowMs);
  if (asked === null || nowMs - reading.ageSeconds * 1000 < sentAtMs(device, settings)) return null;
  return distance(device, reading.powerKw, asked) > toleranceKw(device, settings);
}

const toleranceKw = (device: Device, { followingToleranceKw, followingToleranceShare }: PlanSettings): number =>
  Math.max(followingToleranceKw, followingToleranceShare * (ratedPowerKw(device) ?? 0));

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

/** When the newest command went out: with the last renewal of its tree, or when a plan last gave it another target. */
const sentAtMs = ({ acknowledged, pending, lastMove }: Device, { setpointTtlSeconds }: PlanSettings): number =>
  Math.max(
    Math.max(acknowledged?.validUntilMs ?? -Infinity, pending?.validUntilMs ?? -Infinity) - setpointTtlSeconds * 1000,
    lastMove?.atMs ?? -Infinity,
  );
