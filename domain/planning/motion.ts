import type { Device, LastMove, PlanSettings } from '../fleet';
import { commandsInForce, type PowerSpan } from './commands';
import { silentPowerKw, type DeviceState } from './device-state';

/**
 * Where a device may have stood when a meter above it was read, kW.
 *
 * Device and meter are read at different moments. While a device is on its way to a new setpoint the difference of the
 * two is not what nobody controls: taken as that, each cut would look like load that went away, and be given back. So a
 * device that may have been under way at one of the two readings counts with the whole way; one that was read at rest both times, before it was told to move or after it settled, counts at its reading.
 */
export function spanAtMeterReading(
  state: DeviceState,
  meterAtMs: number,
  nowMs: number,
  settings: PlanSettings,
): PowerSpan {
  switch (state.kind) {
    case 'silent':
      return whileItsCommandsExpire(state, meterAtMs, settings);
    case 'off-setpoint':
      return whileItLeavesItsSetpoint(state, meterAtMs, nowMs);
    case 'steerable':
    case 'not-following':
    case 'fault':
    case 'unrated':
      return whileItIsToldToMove(state, meterAtMs, nowMs, settings);
  }
}

function whileItIsToldToMove(
  { device, nowKw }: DeviceState,
  meterAtMs: number,
  nowMs: number,
  settings: PlanSettings,
): PowerSpan {
  const atRest = { lowKw: nowKw, highKw: nowKw };
  const { lastMove, reading } = device;
  const commands = commandsInForce(device, nowMs);
  if (lastMove === null || reading === null || commands === null) return atRest;
  const readAtMs = nowMs - reading.ageSeconds * 1000;
  const settledAtMs = lastMove.atMs + settings.settleSeconds * 1000;
  const sameSide = Math.max(readAtMs, meterAtMs) <= lastMove.atMs || Math.min(readAtMs, meterAtMs) >= settledAtMs;
  if (sameSide || !isMovedBy(device, nowKw, commands, lastMove, settings.followingToleranceKw)) return atRest;
  // What the device did at the meter's moment lies between its reading and where it went, or where it came from.
  return meterAtMs >= readAtMs
    ? { lowKw: Math.min(nowKw, commands.lowKw), highKw: Math.max(nowKw, commands.highKw) }
    : { lowKw: Math.min(nowKw, lastMove.ranLowKw), highKw: Math.max(nowKw, lastMove.ranHighKw) };
}

/**
 * Nobody told it to move, so nobody knows since when it does: a meter that was read before it saw it somewhere between its
 * setpoint and its reading. One that was read after it saw what it reads, for all that is known.
 */
function whileItLeavesItsSetpoint({ device, nowKw }: DeviceState, meterAtMs: number, nowMs: number): PowerSpan {
  const commands = commandsInForce(device, nowMs);
  const isReadAfter = meterAtMs >= nowMs - (device.reading?.ageSeconds ?? 0) * 1000;
  if (commands === null || isReadAfter) return { lowKw: nowKw, highKw: nowKw };
  return { lowKw: Math.min(nowKw, commands.lowKw), highKw: Math.max(nowKw, commands.highKw) };
}

/** A command that ran out since the meter was read, or shortly before, was obeyed until then. */
function whileItsCommandsExpire({ device, nowKw }: DeviceState, meterAtMs: number, settings: PlanSettings): PowerSpan {
  const thenKw = silentPowerKw(device, meterAtMs - settings.settleSeconds * 1000, settings);
  return { lowKw: Math.min(nowKw, thenKw), highKw: Math.max(nowKw, thenKw) };
}

/**
 * A battery goes where it is told. An EV below its allowance and a PV below its cap, before and after, stay where they
 * are: neither number held them.
 */
function isMovedBy(
  { deviceType }: Device,
  nowKw: number,
  commands: PowerSpan,
  { fromLowKw, fromHighKw }: LastMove,
  toleranceKw: number,
): boolean {
  switch (deviceType) {
    case 'battery':
      return true;
    case 'ev':
      return nowKw > Math.min(fromLowKw, commands.lowKw) - toleranceKw;
    case 'pv':
      return nowKw < Math.max(fromHighKw, commands.highKw) + toleranceKw;
  }
}
