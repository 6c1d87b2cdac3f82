import type { Device, LastMove, PlanSettings } from '../fleet';
import { commandsInForce, type PowerSpan } from './commands';
import type { DeviceState } from './device-state';

/**
 * Where a device may have stood when a meter above it was read, kW.
 *
 * Device and meter are read at different moments. While a device is on its way to a new setpoint the difference of the
 * two is not what nobody controls: taken as that, each cut would look like load that went away, and be given back. So a
 * device that may have been under way at one of the two readings counts with the whole way; one that was read at rest both times, before it was told to move or after it settled, counts at its reading.
 */
export function spanAtMeterReading(
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
