import { defaultPowerKw } from '../default-power';
import type { Device, SafeState, TreeSnapshot } from '../fleet';
import type { DevicePlan } from '../plan';
import { renewalTimes } from '../setpoint-end';
import { needsRenewal } from '../setpoint-life';

type Publish = DevicePlan['publish'];

/**
 * Whether a device that is steered gets a message: a change when the broker did not acknowledge exactly this target, or
 * what it acknowledged is no longer valid; a renewal with the first of its tree that would soon not be (`isDue`).
 */
export function publishTarget(device: Device, targetKw: number, snapshot: TreeSnapshot, isDue: boolean): Publish {
  const { acknowledged, pending } = device;
  if (acknowledged === null || pending !== null) return 'change';
  if (acknowledged.validUntilMs <= snapshot.nowMs || acknowledged.targetKw !== targetKw) return 'change';
  return isDue ? 'renewal' : 'none';
}

/**
 * A device that does not answer or does not follow is sent nothing new. Its last command is kept alive only where
 * falling to its default would move more power than the command does: a curtailed PV that went silent stays
 * curtailed.
 */
export function publishLastCommand(device: Device, snapshot: TreeSnapshot, isDue: boolean): Publish {
  const { acknowledged, pending } = device;
  const fallbackKw = defaultPowerKw(device);
  if (acknowledged === null || fallbackKw === null || acknowledged.validUntilMs <= snapshot.nowMs) return 'none';
  if (Math.abs(fallbackKw) <= Math.abs(acknowledged.targetKw)) return 'none';
  const isRenewed = isDue || pending !== null || needsRenewal(acknowledged, renewalTimes(snapshot));
  return isRenewed ? 'renewal' : 'none';
}

/** A device that is off its setpoint goes on being told the last one. */
export const publishAgain = ({ acknowledged }: Device, isDue: boolean): Publish =>
  acknowledged !== null && isDue ? 'renewal' : 'none';

/** A disabled tree: every device is told its default once; expiry then says the same. */
export function publishDefault({ acknowledged, pending }: Device, targetKw: number): Publish {
  return acknowledged === null || pending !== null || acknowledged.targetKw !== targetKw ? 'change' : 'none';
}

/**
 * An emergency stop: a default is told once, because expiry says the same; zero is renewed, because with its expiry a PV
 * would generate again while everybody believes the fleet stopped.
 */
export const publishSafe = (
  device: Device,
  targetKw: number,
  safeState: SafeState,
  snapshot: TreeSnapshot,
  isDue: boolean,
): Publish =>
  safeState === 'zero' ? publishTarget(device, targetKw, snapshot, isDue) : publishDefault(device, targetKw);
