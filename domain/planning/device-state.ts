import { defaultPowerKw } from '../default-power';
import type { Device, DeviceReading, PlanSettings } from '../fleet';
import { commandsInForce, ratedPowerKw, type PowerSpan } from './commands';
import { following, type Following } from './following';
import { wantOf, type Want } from './wants';

/** What a plan may do with a device, and what it counts at while the plan may do nothing. */
export type DeviceState = UnratedDevice | FixedDevice | SteerableDevice;

interface Seen {
  readonly device: Device;
  /** Index of its node in the tree. */
  readonly node: number;
  /** What it does now as far as is known, kW: a meter above it has this in its flow. */
  readonly nowKw: number;
  readonly presence: 'live' | 'stale' | 'offline';
  readonly following: Following;
}

/** Nobody has said what it can do: part of the uncontrolled flow, at what it measures. */
export interface UnratedDevice extends Seen {
  readonly kind: 'unrated';
}

/** Cannot be moved by this plan: counts at `highKw` for the import side and at `lowKw` for the export side. */
export interface FixedDevice extends Seen, PowerSpan {
  readonly kind: 'silent' | 'fault' | 'off-setpoint' | 'not-following';
}

export interface SteerableDevice extends Seen {
  readonly kind: 'steerable';
  readonly want: Want;
}

/**
 * Sorts a device into one of the kinds above.
 *
 * Silent is what is stale, offline, says so itself (`online: false`) or reports a fault: it is taken at the worst of
 * every command it may still obey and of its default, and of what it last did, because neither cap nor allowance says
 * how much is used. A device that is off its setpoint counts at what it measures from the first sample on that shows
 * it, and is asked on; after some cycles it counts as not following.
 */
export function deviceState(device: Device, node: number, nowMs: number, settings: PlanSettings): DeviceState {
  const { reading } = device;
  const presence = presenceOf(reading, settings);
  const fresh = presence === 'live' ? reading : null;
  const follows = following(device, fresh, nowMs, settings);
  if (ratedPowerKw(device) === null) {
    return { kind: 'unrated', device, node, nowKw: reading?.powerKw ?? 0, presence, following: follows };
  }
  if (fresh === null || fresh.faultCode !== null) {
    const kind = fresh === null ? 'silent' : 'fault';
    return { kind, device, node, presence, following: follows, ...silentSpan(device, nowMs, settings) };
  }
  const nowKw = fresh.powerKw;
  if (!follows.follows || follows.isOff) {
    const kind = follows.follows ? 'off-setpoint' : 'not-following';
    return { kind, device, node, nowKw, presence, following: follows, highKw: nowKw, lowKw: nowKw };
  }
  const want = wantOf(device, fresh, nowMs, settings);
  return { kind: 'steerable', device, node, nowKw, presence, following: follows, want };
}

function presenceOf(reading: DeviceReading | null, settings: PlanSettings): Seen['presence'] {
  if (reading === null || !reading.online || reading.ageSeconds > settings.offlineSeconds) return 'offline';
  return reading.ageSeconds > settings.staleSeconds ? 'stale' : 'live';
}

/** Where a silent device may stand and where it may go; a command that has just run out may take a moment to let go. */
function silentSpan(device: Device, nowMs: number, settings: PlanSettings): PowerSpan & { nowKw: number } {
  const { lowKw, highKw } = silentCommands(device, nowMs);
  const nowKw = silentPowerKw(device, nowMs, settings);
  const beforeKw = silentPowerKw(device, nowMs - settings.settleSeconds * 1000, settings);
  return { nowKw, lowKw: Math.min(lowKw, nowKw, beforeKw), highKw: Math.max(highKw, nowKw, beforeKw) };
}

/**
 * What a silent device did at a moment, kW: its last sample, as far as its commands then and its default allow that. An EV
 * whose allowance has expired since is at its default. A sample that is fresh now is believed as it is.
 */
export function silentPowerKw(device: Device, atMs: number, settings: PlanSettings): number {
  const { reading, deviceType } = device;
  const measuredKw = reading?.powerKw ?? 0;
  if (reading !== null && reading.ageSeconds <= settings.staleSeconds) return measuredKw;
  const { lowKw, highKw } = silentCommands(device, atMs);
  const isCap = deviceType !== 'battery';
  return Math.min(Math.max(measuredKw, isCap ? Math.min(lowKw, 0) : lowKw), isCap ? Math.max(highKw, 0) : highKw);
}

/** What may hold it: any command that it may still obey, or its default. */
function silentCommands(device: Device, atMs: number): PowerSpan {
  const fallbackKw = defaultPowerKw(device) ?? 0;
  const { lowKw, highKw } = commandsInForce(device, atMs) ?? { lowKw: fallbackKw, highKw: fallbackKw };
  return { lowKw: Math.min(lowKw, fallbackKw), highKw: Math.max(highKw, fallbackKw) };
}
