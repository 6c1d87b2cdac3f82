import { defaultPowerKw } from '../default-power';
import type { Device, DeviceReading, PlanSettings } from '../fleet';
import { mustGoOnWaiting } from './charging-turns';
import { commandsInForce, type PowerSpan } from './commands';

/** What a device that can be steered would do, and what it may be asked to do; all kW, import positive. */
export interface Want {
  /** Bounds: nothing outside is ever asked. */
  readonly lowKw: number;
  readonly highKw: number;
  /** Level 0: what it does when no limit is near and every limit is judged by. */
  readonly wantKw: number;
  /**
   * What it is allowed when nothing is scarce: an EV its maximum and a PV its rating, although either may use less.
   * Beyond `wantKw` this is allowance only: the first to go, and no relief to anybody.
   */
  readonly freeKw: number;
  /** What it measures. */
  readonly measuredKw: number;
  /** On the import side it counts at this at least: a PV gives no more than it measures, whatever its cap. */
  readonly countsFromKw: number;
  /** On the export side it counts at this at most: an EV draws no more than it measures, whatever its allowance. */
  readonly countsToKw: number;
  /** An EV draws 0 or at least this. */
  readonly minimumKw: number;
  /** Priority x urgency. */
  readonly weight: number;
  readonly restraint: 'none' | 'ramp' | 'soc' | 'turn';
}

/**
 * Bounds and want of a rated device with a fresh reading.
 *
 * EV: its maximum below its target soc, else 0. PV: its rating. Both say so to their own limit only as far as they
 * can use it: one held at its cap or allowance (or never told one) is believed to be able to use all of it, one that
 * stays below is taken at what it measures plus a part of its rating. Battery: its schedule, within reserve and
 * target soc; an unknown soc could be on either side of both, so it moves only where they do not bind.
 *
 * Restore slowly: a ramp holds the want near the last command. It never holds a bound, so it slows no relief.
 */
export function wantOf(device: Device, reading: DeviceReading, nowMs: number, settings: PlanSettings): Want {
  const commands = commandsInForce(device, nowMs);
  const stepKw = device.rampKwPerS === null ? Infinity : device.rampKwPerS * settings.intervalSeconds;
  const about: About = { device, reading, commands, stepKw, nowMs, settings };
  switch (device.deviceType) {
    case 'ev':
      return evWant(about);
    case 'pv':
      return pvWant(about);
    case 'battery':
      return batteryWant(about);
  }
}

interface About {
  readonly device: Device;
  readonly reading: DeviceReading;
  readonly commands: PowerSpan | null;
  readonly stepKw: number;
  readonly nowMs: number;
  readonly settings: PlanSettings;
}

function evWant({ device, reading, commands, stepKw, nowMs, settings }: About): Want {
  const rated = device.maxImportKw ?? 0;
  const { soc, powerKw } = reading;
  const waits = mustGoOnWaiting(device, nowMs, settings);
  const highKw = waits || (soc !== null && soc >= 1) ? 0 : rated;
  const minimumKw = Math.min(device.minImportKw, rated);
  const charging = highKw > 0 && (soc === null || soc < device.targetSoc);
  const allowed = commands?.lowKw ?? Math.max(defaultPowerKw(device) ?? 0, powerKw);
  const ramped = Math.min(highKw, Math.max(allowed + stepKw, minimumKw));
  const freeKw = charging ? ramped : 0;
  const isHeld = commands === null || powerKw >= commands.highKw - settings.heldWithinShare * rated;
  const usable = isHeld ? rated : Math.max(powerKw + settings.growthShare * rated, minimumKw);
  return {
    lowKw: 0,
    highKw,
    freeKw,
    wantKw: Math.min(freeKw, usable),
    measuredKw: powerKw,
    countsFromKw: -Infinity,
    countsToKw: Math.max(powerKw, 0),
    minimumKw,
    weight: device.weight * evUrgency(device, soc, settings),
    restraint: waits ? 'turn' : charging ? (ramped < highKw ? 'ramp' : 'none') : 'soc',
  };
}

/** From 1 at its target soc to the most when empty; half way for a car that does not tell its soc. */
function evUrgency({ targetSoc }: Device, soc: number | null, { evUrgencyMost }: PlanSettings): number {
  const missing = soc === null ? 0.5 : targetSoc > 0 ? within((targetSoc - soc) / targetSoc, 0, 1) : 0;
  return 1 + (evUrgencyMost - 1) * missing;
}

function pvWant({ device, reading, commands, stepKw, settings }: About): Want {
  const rated = device.maxExportKw ?? 0;
  const givesKw = -reading.powerKw;
  const allowed = commands === null ? Math.max(-(defaultPowerKw(device) ?? 0), givesKw) : -commands.highKw;
  const free = Math.min(rated, Math.max(allowed, 0) + stepKw);
  const isHeld = commands !== null && givesKw >= -commands.lowKw - settings.heldWithinShare * rated;
  const available = isHeld ? rated : Math.max(givesKw, 0) + settings.growthShare * rated;
  return {
    lowKw: 0 - rated,
    highKw: 0,
    freeKw: 0 - free,
    wantKw: 0 - Math.min(free, available),
    measuredKw: reading.powerKw,
    countsFromKw: Math.min(reading.powerKw, 0),
    countsToKw: Infinity,
    minimumKw: 0,
    weight: device.weight,
    restraint: free < rated ? 'ramp' : 'none',
  };
}

function batteryWant({ device, reading, commands, stepKw }: About): Want {
  const { soc, powerKw } = reading;
  const mayDischarge = soc === null ? device.reserveSoc <= 0 : soc > device.reserveSoc;
  const mayCharge = soc === null ? device.targetSoc >= 1 : soc < device.targetSoc;
  const lowKw = mayDischarge ? 0 - (device.maxExportKw ?? 0) : 0;
  const highKw = mayCharge ? (device.maxImportKw ?? 0) : 0;
  const lastKw = commands === null ? powerKw : within(powerKw, commands.lowKw, commands.highKw);
  const rampedKw = within(device.scheduledPowerKw, lastKw - stepKw, lastKw + stepKw);
  const wantKw = within(rampedKw, lowKw, highKw);
  const isSocBound = wantKw !== within(rampedKw, 0 - (device.maxExportKw ?? 0), device.maxImportKw ?? 0);
  return {
    lowKw,
    highKw,
    freeKw: wantKw,
    wantKw,
    measuredKw: powerKw,
    countsFromKw: -Infinity,
    countsToKw: Infinity,
    minimumKw: 0,
    weight: device.weight,
    restraint: isSocBound ? 'soc' : rampedKw === device.scheduledPowerKw ? 'none' : 'ramp',
  };
}

const within = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);
