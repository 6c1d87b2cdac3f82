import { defaultPowerKw } from '../default-power';
import type { Device, SafeState, TreeSnapshot } from '../fleet';
import type { DevicePlan } from '../plan';
import { needsRenewal } from '../setpoint-life';

type Publish = DevicePlan['publish'];

/**
 * Whether a device that is steered gets a message: a change when the broker did not acknowledge exactly this target, or
 * what it acknowledged is no longer valid; a renewal when it would soon not be.
 */
export function publishTarget(device: Device, targetKw: number, snapshot: TreeSnapshot): Publish {
  const { acknowledged, pending } = device;
  if (acknowledged === null || pending !== null) return 'change';
  if (acknowledged.validUntilMs <= snapshot.nowMs || acknowledged.targetKw !== targetKw) return 'change';
  return needsRenewal(acknowledged, renewalTimes(snapshot)) ? 'renewal' : 'none';
}

/**
 * A device that does not answer or does not follow is sent nothing new. Its last command is kept alive only where
 * falling to its default would move more power than the command does: a curtailed PV that went silent stays
 * curtailed.
 */
export function publishLastCommand(device: Device, snapshot: TreeSnapshot): Publish {
  const { acknowledged, pending } = device;
  const fallbackKw = defaultPowerKw(device);
  if (acknowledged === null || fallbackKw === null || acknowledged.validUntilMs <= snapshot.nowMs) return 'none';
  if (Math.abs(fallbackKw) <= Math.abs(acknowledged.targetKw)) return 'none';
  return pending !== null || needsRenewal(acknowledged, renewalTimes(snapshot)) ? 'renewal' : 'none';
}

/** A device that is off its setpoint goes on being told the last one. */
export function publishAgain({ acknowledged }: Device, snapshot: TreeSnapshot): Publish {
  return acknowledged !== null && needsRenewal(acknowledged, renewalTimes(snapshot)) ? 'renewal' : 'none';
}

/** A disabled tree: every device is told its default once; expiry then says the same. */
export function publishDefault({ acknowledged, pending }: Device, targetKw: number): Publish {
  return acknowledged === null || pending !== null || acknowledged.targetKw !== targetKw ? 'change' : 'none';
}

/**
 * An emergency stop: a default is told once, because expiry says the same; zero is renewed, because with its expiry a PV
 * would generate again while everybody believes the fleet stopped.
 */
export const publishSafe = (device: Device, targetKw: number, safeState: SafeState, snapshot: TreeSnapshot): Publish =>
  safeState === 'zero' ? publishTarget(device, targetKw, snapshot) : publishDefault(device, targetKw);

const renewalTimes = ({ nowMs, settings }: TreeSnapshot) => ({
  nowMs,
  ttlSeconds: settings.setpointTtlSeconds,
  intervalSeconds: settings.intervalSeconds,
});
