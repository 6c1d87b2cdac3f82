import type {
  PlanSettings,
  ActiveDispatch,
  Device,
  DeviceReading,
  FeederNode,
  TreeSnapshot,
} from '../../../domain/fleet';
import type { DevicePlan, NodePlan, TreePlan } from '../../../domain/plan';
import { PLAN_SETTINGS } from '../../support/policy';

/** 2026-01-01T12:00:00Z; plans take the time from the snapshot. */
export const NOON = Date.UTC(2026, 0, 1, 12);

export const SETTINGS = PLAN_SETTINGS;

export const aReading = (reading: Partial<DeviceReading> = {}): DeviceReading => ({
  powerKw: 0,
  soc: null,
  ageSeconds: 1,
  online: true,
  faultCode: null,
  ...reading,
});

const aDevice = (device: Partial<Device>): Device => ({
  deviceId: 'device',
  deviceType: 'ev',
  feederId: 'feeder',
  maxImportKw: null,
  maxExportKw: null,
  minImportKw: 0,
  defaultPowerKw: null,
  honoursExpiry: true,
  weight: 1,
  reserveSoc: 0,
  targetSoc: 1,
  scheduledPowerKw: 0,
  rampKwPerS: null,
  reading: aReading(),
  acknowledged: null,
  lastMove: null,
  pending: null,
  offSetpointCycles: 0,
  notFollowingUntilMs: null,
  waitsSinceMs: null,
  waitedUntilMs: null,
  ...device,
});

/** An EV that was never told anything and wants all it can get. */
export const anEv = (device: Partial<Device> = {}): Device =>
  aDevice({ deviceId: 'ev', maxImportKw: 22, reading: aReading({ soc: 0.5 }), ...device });

export const aBattery = (device: Partial<Device> = {}): Device =>
  aDevice({
    deviceId: 'battery',
    deviceType: 'battery',
    maxImportKw: 10,
    maxExportKw: 10,
    reading: aReading({ soc: 0.5 }),
    ...device,
  });

/** A PV that produces `givesKw` and was never told anything. */
export const aPv = ({ givesKw = 0, ...device }: Partial<Device> & { givesKw?: number } = {}): Device =>
  aDevice({
    deviceId: 'pv',
    deviceType: 'pv',
    maxExportKw: 100,
    reading: aReading({ powerKw: 0 - givesKw }),
    ...device,
  });

export const aFeeder = (feeder: Partial<FeederNode> = {}): FeederNode => ({
  feederId: 'feeder',
  parentId: null,
  importLimitKw: 1000,
  exportLimitKw: 1000,
  baseLoadKw: 0,
  meter: null,
  ...feeder,
});

export const aMeter = (flowKw: number, meter: Partial<NonNullable<FeederNode['meter']>> = {}) => ({
  flowKw,
  ageSeconds: 1,
  worstUncontrolledKw: null,
  lastUncontrolledKw: null,
  ...meter,
});

export const aDispatch = (dispatch: Partial<ActiveDispatch> = {}): ActiveDispatch => ({
  dispatchId: 'dispatch',
  feederId: 'feeder',
  importLimitKw: null,
  exportLimitKw: null,
  targetKw: null,
  primacy: 5,
  acceptedAtMs: NOON - 3600_000,
  ...dispatch,
});

/** A command the broker acknowledged, with `secondsLeft` of its 60 s. */
export const aCommand = (targetKw: number, secondsLeft = 50) => ({
  targetKw,
  validUntilMs: NOON + secondsLeft * 1000,
});

export const aSnapshot = ({
  settings,
  ...snapshot
}: Partial<Omit<TreeSnapshot, 'settings'>> & { settings?: Partial<PlanSettings> } = {}): TreeSnapshot => ({
  nowMs: NOON,
  mode: 'automatic',
  feeders: [aFeeder()],
  devices: [],
  dispatches: [],
  envelopes: [],
  ...snapshot,
  settings: { ...SETTINGS, ...settings },
});

/** `count` devices made from one, with ids that sort in their order. */
export const several = (count: number, device: Device): Device[] =>
  Array.from({ length: count }, (_, index) => ({ ...device, deviceId: `${device.deviceId}-${String(index + 1)}` }));

/** The snapshot one cycle later, when every device does what the plan told it. */
export function obeyed(snapshot: TreeSnapshot, plan: TreePlan): TreeSnapshot {
  const nowMs = snapshot.nowMs + snapshot.settings.intervalSeconds * 1000;
  const targets = new Map(plan.devices.map((device) => [device.deviceId, device]));
  const devices = snapshot.devices.map((device): Device => {
    const planned = targets.get(device.deviceId);
    if (planned === undefined || device.reading === null) return device;
    const { targetKw, offSetpointCycles, notFollowingUntilMs, waitsSinceMs, waitedUntilMs } = planned;
    return {
      ...{ ...device, offSetpointCycles, notFollowingUntilMs, waitsSinceMs, waitedUntilMs },
      acknowledged: { targetKw, validUntilMs: nowMs + snapshot.settings.setpointTtlSeconds * 1000 },
      reading: { ...device.reading, powerKw: targetKw },
    };
  });
  return { ...snapshot, nowMs, devices };
}

/** Targets of a plan by device id, rounded to a hundredth of a kW. */
export const targetsOf = ({ devices }: TreePlan): Record<string, number> =>
  Object.fromEntries(devices.map(({ deviceId, targetKw }) => [deviceId, Math.round(targetKw * 100) / 100 + 0]));

export function planOf(plan: TreePlan, deviceId: string): DevicePlan {
  const found = plan.devices.find((device) => device.deviceId === deviceId);
  if (found === undefined) throw new Error(`no plan for ${deviceId}`);
  return found;
}

export function nodeOf(plan: TreePlan, feederId = 'feeder'): NodePlan {
  const found = plan.nodes.find((node) => node.feederId === feederId);
  if (found === undefined) throw new Error(`no node ${feederId}`);
  return found;
}
