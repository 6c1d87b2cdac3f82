/**
 * Decides the setpoints of a whole feeder tree for one cycle: the policy of design section 7 around the level solver.
 *
 * Pure: the same snapshot gives the same plan, to the bit, whatever the order of its lists. Infeasible limits are an
 * answer (`missingKw` names the node), not an error.
 */
import { DermsError } from './errors';
import type { Device, TreeSnapshot } from './fleet';
import { byText } from './in-words';
import type { DevicePlan, TreePlan } from './plan';
import { widenAllowances } from './planning/allowances';
import { allocateWithMinimums } from './planning/charging-minimums';
import { checkSnapshot } from './planning/check-snapshot';
import { keepWithinDeadband } from './planning/deadband';
import { defaultPlans, devicePlans, emergencyPlans } from './planning/device-plans';
import { deviceState, type DeviceState, type SteerableDevice } from './planning/device-state';
import { feederTree, type FeederTree } from './planning/feeder-tree';
import type { Feeders } from './planning/limit-rooms';
import { limitsInForce, type NodeLimits } from './planning/limits-in-force';
import { raiseIntoMeasuredRoom } from './planning/measured-room';
import { fixedFlow, nodePlans, toldSums } from './planning/node-plans';
import { uncontrolledFlow, type UncontrolledFlow } from './planning/uncontrolled-flow';
import { byTurns } from './planning/waiting-order';

/**
 * Plans every device of the tree.
 *
 * No node is over its limits in import or export, given what is known, as long as its devices can avoid it; a
 * `manual` tree is planned like an `automatic` one, a `disabled` one is told its defaults once. An emergency stop
 * comes before all of that.
 *
 * @throws {DermsError} `FEEDER_TREE_INVALID` or `DEVICE_INVALID`, naming the feeder or device.
 */
export function planTree(snapshot: TreeSnapshot): TreePlan {
  checkSnapshot(snapshot);
  const tree = feederTree(snapshot.feeders);
  const limits = limitsOf(snapshot, tree);
  const states = statesOf(snapshot, tree);
  const uncontrolled = uncontrolledFlow(tree, states, snapshot.nowMs, snapshot.settings);
  const feeders: Feeders = { tree, limits, ...fixedFlow(tree, states, uncontrolled) };
  const told = toldWithoutAllocation(snapshot, states);
  const decided =
    told === null
      ? planLevels(snapshot, feeders, states, uncontrolled)
      : planAsTold(snapshot, feeders, states, uncontrolled, told);
  const idsOf = (matches: (state: DeviceState) => boolean) =>
    states.filter(matches).map(({ device }) => device.deviceId);
  return {
    ...decided,
    staleDevices: idsOf(({ presence }) => presence === 'stale'),
    offlineDevices: idsOf(({ presence }) => presence === 'offline'),
    notFollowingDevices: idsOf(({ kind }) => kind === 'not-following'),
    unratedDevices: idsOf(({ kind }) => kind === 'unrated'),
  };
}

type Decided = Pick<TreePlan, 'devices' | 'nodes'>;

function planLevels(
  snapshot: TreeSnapshot,
  feeders: Feeders,
  states: readonly DeviceState[],
  uncontrolled: UncontrolledFlow,
): Decided {
  const { settings, nowMs } = snapshot;
  const steerables = states.filter((state): state is SteerableDevice => state.kind === 'steerable');
  const allocation = allocateWithMinimums(feeders, steerables, byTurns(nowMs, settings));
  const allowances = widenAllowances(feeders, allocation);
  const { rooms, devices, binding } = allocation;
  const raises = raiseIntoMeasuredRoom(feeders, rooms, devices, allowances.powerKw, nowMs);
  const { powerKw } = raises;
  const isKept = keepWithinDeadband(feeders, rooms, devices, powerKw, { nowMs, deadbandKw: settings.deadbandKw });
  const steered = rooms.sums(powerKw, devices);
  const inTheEnd = rooms.sums(allowances.powerKw, devices);
  return {
    devices: devicePlans(snapshot, feeders.tree, states, { allocation, allowances, raises, isKept }),
    nodes: nodePlans({ feeders, uncontrolled, settings, steered, inTheEnd, binding }),
  };
}

/** An emergency stop comes before any mode. null: the limits decide. */
function toldWithoutAllocation(snapshot: TreeSnapshot, states: readonly DeviceState[]): DevicePlan[] | null {
  if (snapshot.emergencyStop !== undefined) return emergencyPlans(states, snapshot.emergencyStop.safeState, snapshot);
  return snapshot.mode === 'disabled' ? defaultPlans(states) : null;
}

function planAsTold(
  { settings }: TreeSnapshot,
  feeders: Feeders,
  states: readonly DeviceState[],
  uncontrolled: UncontrolledFlow,
  devices: DevicePlan[],
): Decided {
  const { tree } = feeders;
  const steered = toldSums(
    tree,
    states,
    devices.map(({ targetKw }) => targetKw),
  );
  return {
    devices,
    nodes: nodePlans({
      ...{ feeders, uncontrolled, settings, steered, inTheEnd: steered },
      binding: new Int8Array(tree.nodes.length),
    }),
  };
}

function limitsOf({ dispatches, envelopes }: TreeSnapshot, tree: FeederTree): NodeLimits[] {
  for (const { dispatchId, feederId } of dispatches) mustBeKnown(tree, feederId, `dispatch ${dispatchId}`);
  for (const { envelopeId, feederId } of envelopes) mustBeKnown(tree, feederId, `envelope ${envelopeId}`);
  const dispatchesOf = byFeeder(dispatches);
  const envelopesOf = byFeeder(envelopes);
  return tree.nodes.map((feeder) =>
    limitsInForce(feeder, {
      dispatches: dispatchesOf.get(feeder.feederId) ?? [],
      envelopes: envelopesOf.get(feeder.feederId) ?? [],
    }),
  );
}

function mustBeKnown({ indexOf }: FeederTree, feederId: string, what: string): void {
  if (indexOf.has(feederId)) return;
  throw new DermsError('FEEDER_TREE_INVALID', `${what} is for feeder ${feederId}, which is not in the tree`);
}

function byFeeder<Claim extends { readonly feederId: string }>(claims: readonly Claim[]): Map<string, Claim[]> {
  const found = new Map<string, Claim[]>();
  for (const claim of claims) found.set(claim.feederId, [...(found.get(claim.feederId) ?? []), claim]);
  return found;
}

/** By id, so that sums do not depend on the order the devices came in. */
function statesOf({ devices, nowMs, settings }: TreeSnapshot, tree: FeederTree): DeviceState[] {
  return byId(devices).map((device) => {
    const node = tree.indexOf.get(device.feederId);
    if (node !== undefined) return deviceState(device, node, nowMs, settings);
    throw new DermsError(
      'DEVICE_INVALID',
      `device ${device.deviceId} hangs on feeder ${device.feederId}, which is not in the tree`,
    );
  });
}

function byId(devices: readonly Device[]): readonly Device[] {
  const isSorted = devices.every(
    (device, index) => index === 0 || byText(devices[index - 1]?.deviceId ?? '', device.deviceId) <= 0,
  );
  return isSorted ? devices : [...devices].sort((a, b) => byText(a.deviceId, b.deviceId));
}
