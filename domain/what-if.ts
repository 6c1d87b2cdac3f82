import { DermsError } from './errors';
import type { ActiveDispatch, Device, FeederNode, TreeSnapshot } from './fleet';
import { commandsInForce } from './planning/commands';
import { defaultPowerKw } from './default-power';
import type { TreePlan } from './plan';

/** What is to be different from the picture a plan would be made from; what is left out stays. */
export interface WhatIf {
  readonly feeders: readonly FeederChange[];
  readonly devices: readonly DeviceChange[];
  /** Dispatches that do not exist. */
  readonly dispatches: readonly ActiveDispatch[];
  /** Dispatches in force that are to be left out. */
  readonly withoutDispatches: readonly string[];
}

export interface FeederChange {
  readonly feederId: string;
  readonly importLimitKw?: number;
  readonly exportLimitKw?: number;
  readonly baseLoadKw?: number;
  /** What its meter is to show now, kW. */
  readonly flowKw?: number;
}

type Registry = Pick<
  Device,
  | 'maxImportKw'
  | 'maxExportKw'
  | 'minImportKw'
  | 'weight'
  | 'reserveSoc'
  | 'targetSoc'
  | 'scheduledPowerKw'
  | 'rampKwPerS'
>;
type Reading = NonNullable<Device['reading']>;

export interface DeviceChange extends Partial<Registry>, Partial<Reading> {
  readonly deviceId: string;
}

/** @throws {DermsError} FEEDER_NOT_FOUND, DEVICE_NOT_FOUND or DISPATCH_NOT_FOUND for what is not in the picture. */
export function changed(snapshot: TreeSnapshot, whatIf: WhatIf): TreeSnapshot {
  const feeders = changeEach(
    snapshot.feeders,
    whatIf.feeders,
    ({ feederId }) => feederId,
    changedFeeder,
    'FEEDER_NOT_FOUND',
  );
  const devices = changeEach(
    snapshot.devices,
    whatIf.devices,
    ({ deviceId }) => deviceId,
    changedDevice,
    'DEVICE_NOT_FOUND',
  );
  for (const { feederId } of whatIf.dispatches) {
    if (!feeders.some((feeder) => feeder.feederId === feederId)) throw unknown('FEEDER_NOT_FOUND', feederId);
  }
  for (const dispatchId of whatIf.withoutDispatches) {
    if (!snapshot.dispatches.some((known) => known.dispatchId === dispatchId))
      throw unknown('DISPATCH_NOT_FOUND', dispatchId);
  }
  const kept = snapshot.dispatches.filter(({ dispatchId }) => !whatIf.withoutDispatches.includes(dispatchId));
  return { ...snapshot, feeders, devices, dispatches: [...kept, ...whatIf.dispatches] };
}

/** A device's target against what it is held to otherwise, kW. */
export interface TargetDifference {
  readonly deviceId: string;
  readonly inForceKw: number | null;
  /** 0 when nothing changes; null when nobody knows what is in force. */
  readonly differenceKw: number | null;
}

/** Against what devices have: the command in force, else the default. */
export const againstInForce = (snapshot: TreeSnapshot, plan: TreePlan): TargetDifference[] => {
  const devices = new Map(snapshot.devices.map((device) => [device.deviceId, device]));
  return plan.devices.map(({ deviceId, targetKw }) => {
    const device = devices.get(deviceId);
    return differenceOf(deviceId, targetKw, device === undefined ? null : inForceKw(device, snapshot.nowMs));
  });
};

/** Against another plan of the same tree. */
export function againstPlan(other: TreePlan, plan: TreePlan): TargetDifference[] {
  const targets = new Map(other.devices.map(({ deviceId, targetKw }) => [deviceId, targetKw]));
  return plan.devices.map(({ deviceId, targetKw }) => differenceOf(deviceId, targetKw, targets.get(deviceId) ?? null));
}

const differenceOf = (deviceId: string, targetKw: number, inForce: number | null): TargetDifference => ({
  deviceId,
  inForceKw: inForce,
  differenceKw: inForce === null ? null : targetKw - inForce,
});

function inForceKw(device: Device, nowMs: number): number | null {
  const command = commandsInForce(device, nowMs) === null ? null : (device.pending ?? device.acknowledged);
  return command?.targetKw ?? defaultPowerKw(device);
}

function changedFeeder(feeder: FeederNode, { flowKw, ...fields }: FeederChange): FeederNode {
  if (flowKw === undefined) return { ...feeder, ...fields };
  const worst = feeder.meter?.worstUncontrolledKw ?? null;
  const meter = { flowKw, ageSeconds: 0, worstUncontrolledKw: worst, lastUncontrolledKw: null };
  return { ...feeder, ...fields, meter };
}

function changedDevice(device: Device, change: DeviceChange): Device {
  const { powerKw, soc, ageSeconds, online, faultCode, ...registry } = change;
  const told = withoutUndefined({ powerKw, soc, ageSeconds, online, faultCode });
  const before = device.reading ?? { powerKw: 0, soc: null, ageSeconds: 0, online: true, faultCode: null };
  const reading = Object.keys(told).length === 0 ? device.reading : { ...before, ageSeconds: 0, ...told };
  return { ...device, ...registry, reading };
}

const withoutUndefined = (reading: {
  readonly [Field in keyof Reading]: Reading[Field] | undefined;
}): Partial<Reading> => Object.fromEntries(Object.entries(reading).filter(([, value]) => value !== undefined));

function changeEach<Item, Change>(
  items: readonly Item[],
  changes: readonly Change[],
  idOf: (item: Item | Change) => string,
  apply: (item: Item, change: Change) => Item,
  code: 'FEEDER_NOT_FOUND' | 'DEVICE_NOT_FOUND',
): Item[] {
  const byId = new Map(changes.map((change) => [idOf(change), change]));
  const known = new Set(items.map(idOf));
  for (const id of byId.keys()) if (!known.has(id)) throw unknown(code, id);
  return items.map((item) => {
    const change = byId.get(idOf(item));
    return change === undefined ? item : apply(item, change);
  });
}

const unknown = (code: 'FEEDER_NOT_FOUND' | 'DEVICE_NOT_FOUND' | 'DISPATCH_NOT_FOUND', id: string): DermsError =>
  new DermsError(code, `${id} is not in the tree that would be planned.`);
