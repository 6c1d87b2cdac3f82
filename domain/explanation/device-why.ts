import type { Device, TreeSnapshot } from '../fleet';
import { kwText } from '../in-words';
import type { DevicePlan, NodePlan, TreePlan } from '../plan';
import { explainNodes, limitText, type NodeWhy } from './node-why';

/** Why a plan treats a device as it does: as data, and in words an operator reads. */
export interface DeviceWhy {
  readonly device: DevicePlan;
  readonly deviceType: Device['deviceType'];
  readonly measuredKw: number | null;
  readonly readingAgeSeconds: number | null;
  /** From its own feeder up to the root. */
  readonly path: readonly NodeWhy[];
  readonly words: readonly string[];
}

/** null for a device that the plan does not know. */
export function explainDevice(snapshot: TreeSnapshot, plan: TreePlan, deviceId: string): DeviceWhy | null {
  const planned = plan.devices.find((device) => device.deviceId === deviceId);
  const device = snapshot.devices.find((other) => other.deviceId === deviceId);
  if (planned === undefined || device === undefined) return null;
  const path = pathOf(snapshot, plan, planned.feederId);
  const held = path.find(({ feederId }) => feederId === planned.explanation.boundBy);
  const { reading } = device;
  return {
    device: planned,
    deviceType: device.deviceType,
    measuredKw: reading?.powerKw ?? null,
    readingAgeSeconds: reading?.ageSeconds ?? null,
    path,
    words: [
      targetWords(device, planned),
      reasonWords(device, planned, held, snapshot),
      readingWords(device),
      ...(held?.words ?? []),
    ],
  };
}

function pathOf(snapshot: TreeSnapshot, plan: TreePlan, feederId: string): NodeWhy[] {
  const parentOf = new Map(snapshot.feeders.map((feeder) => [feeder.feederId, feeder.parentId]));
  const nodes = new Map(explainNodes(snapshot, plan).map((node) => [node.feederId, node]));
  const path: NodeWhy[] = [];
  for (let id: string | null = feederId; id !== null; id = parentOf.get(id) ?? null) {
    const node = nodes.get(id);
    if (node !== undefined) path.push(node);
  }
  return path;
}

function targetWords({ deviceId, deviceType }: Device, { targetKw, explanation: { note } }: DevicePlan): string {
  if (COUNTED_ONLY.has(note)) return `${deviceId} counts at ${kwText(targetKw)}.`;
  switch (deviceType) {
    case 'ev':
      return targetKw > 0 ? `${deviceId} may draw ${kwText(targetKw)}.` : `${deviceId} may not draw anything.`;
    case 'pv':
      return `${deviceId} may give ${kwText(0 - targetKw)}.`;
    case 'battery':
      if (targetKw === 0) return `${deviceId} idles.`;
      return `${deviceId} ${targetKw > 0 ? 'charges' : 'discharges'} with ${kwText(Math.abs(targetKw))}.`;
  }
}

const COUNTED_ONLY: ReadonlySet<DevicePlan['explanation']['note']> = new Set([
  'silent',
  'fault',
  'off-setpoint',
  'not-following',
  'unrated',
]);

function reasonWords(device: Device, planned: DevicePlan, held: NodeWhy | undefined, snapshot: TreeSnapshot): string {
  const { settings, nowMs } = snapshot;
  const by =
    held === undefined ? 'a limit above it' : `${held.feederId}, which may ${boundText(device, planned, held)}`;
  switch (planned.explanation.note) {
    case 'free':
      return 'Nothing holds it back: that is what it wants.';
    case 'bound-by-node':
      return `It is held by ${by}; what it gets is its share by weight (${String(device.weight)}, times its urgency).`;
    case 'at-rating':
      return `It gives all the help it can, for ${by}.`;
    case 'waits-for-turn':
      return `It waits for its turn${sinceText(planned.waitsSinceMs, nowMs)}: not all minimums fit under ${by}. Turns change after ${String(settings.rotationSeconds)} s.`;
    case 'waits-for-relief':
      return `More is to come: it waits until the batteries that make room are measured under ${by}.`;
    case 'soc-limit':
      return `Its state of charge says so: it has ${socText(device)}, with a target of ${share(device.targetSoc)} and a reserve of ${share(device.reserveSoc)}.`;
    case 'ramping':
      return `It is restored step by step, at most ${String(device.rampKwPerS ?? 0)} kW/s.`;
    case 'deadband':
      return `Its new target is within ${kwText(settings.deadbandKw)} of the old one, which stays.`;
    case 'silent':
      return 'It is silent: it counts at the worst of its last command and its default, and is sent nothing new.';
    case 'fault':
      return `It reports the fault ${device.reading?.faultCode ?? ''}: it counts at the worst of its last command and its default.`;
    case 'off-setpoint':
      return `It is off its setpoint (${String(planned.offSetpointCycles)} of ${String(settings.notFollowingAfterCycles)} cycles): it counts at what it measures and is asked on.`;
    case 'not-following':
      return `It does not follow: it was off its setpoint in ${String(settings.notFollowingAfterCycles)} cycles in a row, counts at what it measures and is tried again${untilText(planned.notFollowingUntilMs, nowMs)}.`;
    case 'unrated':
      return 'Nobody has said what it can do: it counts at what it measures, as part of what nobody controls.';
    case 'default':
      return 'The tree is not controlled: it is told its default.';
    case 'emergency-stop':
      return 'An emergency stop is in force: it is sent to its safe state, whatever the limits, until that is lifted.';
  }
}

/** The side that holds it: below level 0 the import limit, above it the export limit. */
function boundText({ deviceType }: Device, { explanation: { level } }: DevicePlan, node: NodePlan | NodeWhy): string {
  const isImport = level === 0 ? deviceType !== 'pv' : level < 0;
  return isImport ? limitText('import', node.high) : limitText('export', node.low);
}

function readingWords({ reading }: Device): string {
  if (reading === null) return 'It has never reported.';
  return `It measured ${kwText(reading.powerKw)} ${seconds(reading.ageSeconds * 1000)} ago.`;
}

const sinceText = (sinceMs: number | null, nowMs: number): string =>
  sinceMs === null ? '' : `, for ${seconds(nowMs - sinceMs)} now`;
const untilText = (untilMs: number | null, nowMs: number): string =>
  untilMs === null ? '' : ` in ${seconds(untilMs - nowMs)}`;
const seconds = (ms: number): string => `${String(Math.round(ms / 1000))} s`;
const share = (fraction: number): string => `${String(Math.round(fraction * 100))} %`;
const socText = ({ reading }: Device): string =>
  reading === null || reading.soc === null ? 'not told it' : share(reading.soc);
