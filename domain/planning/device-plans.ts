import { real, whole } from '../allocation/packed';
import { defaultPowerKw } from '../default-power';
import { safePowerKw } from '../emergency-stop';
import type { SafeState, TreeSnapshot } from '../fleet';
import type { DevicePlan, Explanation } from '../plan';
import { isRenewalDue } from '../setpoint-end';
import type { Allowances } from './allowances';
import type { MinimumAllocation } from './charging-minimums';
import { turnAfter } from './charging-turns';
import { commandsInForce } from './commands';
import type { DeviceState, FixedDevice, SteerableDevice, UnratedDevice } from './device-state';
import type { FeederTree } from './feeder-tree';
import { ON_LIMIT_KW } from './limit-rooms';
import type { HeldRaises } from './measured-room';
import { publishAgain, publishDefault, publishLastCommand, publishSafe, publishTarget } from './publishing';
import { RELIEF_TIER } from './relief-order';

/** Everything that was decided about the devices that can be steered, in one order. */
export interface Settled {
  readonly allocation: MinimumAllocation;
  readonly allowances: Allowances;
  readonly raises: HeldRaises;
  readonly isKept: readonly boolean[];
}

/** One plan per device, in the order of `states`. */
export function devicePlans(
  snapshot: TreeSnapshot,
  tree: FeederTree,
  states: readonly DeviceState[],
  settled: Settled,
): DevicePlan[] {
  let steered = 0;
  const isDue = isRenewalDue(
    states.filter(isToldOn).map(({ device }) => device),
    snapshot,
  );
  return states.map((state) => {
    if (state.kind !== 'steerable') return fixedPlan(state, snapshot, isDue);
    const index = steered++;
    const targetKw = real(settled.raises.powerKw, index);
    const explanation = explain(index, tree, settled);
    return {
      ...planOf(state, { targetKw, publish: publishTarget(state.device, targetKw, snapshot, isDue), explanation }),
      ...turnAfter(state.device, explanation.note === 'waits-for-turn', snapshot.nowMs),
    };
  });
}

/** Every device at its default: what a disabled tree is told. */
export const defaultPlans = (states: readonly DeviceState[]): DevicePlan[] =>
  states.map((state) => {
    const fallbackKw = defaultPowerKw(state.device);
    return planOf(state, {
      targetKw: fallbackKw ?? state.nowKw,
      publish: fallbackKw === null ? 'none' : publishDefault(state.device, fallbackKw),
      explanation: { level: 0, tier: 0, boundBy: null, note: 'default' },
    });
  });

/** Every device in its safe state, whether it speaks or not; kept there while the stop lasts. */
export const emergencyPlans = (
  states: readonly DeviceState[],
  safeState: SafeState,
  snapshot: TreeSnapshot,
): DevicePlan[] => {
  const told = states.map(({ device }) => device).filter((device) => safePowerKw(device, safeState) !== null);
  const isDue = isRenewalDue(told, snapshot);
  return states.map((state) => {
    const { device, nowKw } = state;
    const safeKw = safePowerKw(device, safeState);
    return planOf(state, {
      targetKw: safeKw ?? nowKw,
      publish: safeKw === null ? 'none' : publishSafe(device, safeKw, safeState, snapshot, isDue),
      explanation: { level: 0, tier: 0, boundBy: null, note: 'emergency-stop' },
    });
  });
};

/** What these hold goes on for as long as they are there; what the others hold may be left to end. */
const isToldOn = ({ kind }: DeviceState): boolean => kind === 'steerable' || kind === 'off-setpoint';

function fixedPlan(state: UnratedDevice | FixedDevice, snapshot: TreeSnapshot, isDue: boolean): DevicePlan {
  const explanation: Explanation = { level: 0, tier: 0, boundBy: null, note: state.kind };
  const { device, nowKw } = state;
  switch (state.kind) {
    case 'unrated':
      return planOf(state, { targetKw: nowKw, publish: 'none', explanation });
    case 'silent':
    case 'fault': {
      const isCommanded = commandsInForce(device, snapshot.nowMs) !== null;
      const commandKw = isCommanded ? (device.acknowledged?.targetKw ?? device.pending?.targetKw) : undefined;
      const targetKw = commandKw ?? defaultPowerKw(device) ?? nowKw;
      return planOf(state, { targetKw, publish: publishLastCommand(device, snapshot, isDue), explanation });
    }
    case 'off-setpoint': {
      const publish = publishAgain(device, isDue);
      return planOf(state, {
        targetKw: publish === 'none' ? nowKw : (device.acknowledged?.targetKw ?? nowKw),
        publish,
        explanation,
      });
    }
    case 'not-following': {
      const publish = publishLastCommand(device, snapshot, isDue);
      const targetKw = publish === 'none' ? nowKw : (device.acknowledged?.targetKw ?? nowKw);
      return planOf(state, { targetKw, publish, explanation });
    }
  }
}

const planOf = (
  { device, following }: DeviceState,
  decided: Pick<DevicePlan, 'targetKw' | 'publish' | 'explanation'>,
): DevicePlan => ({
  deviceId: device.deviceId,
  feederId: device.feederId,
  ...decided,
  offSetpointCycles: following.offSetpointCycles,
  notFollowingUntilMs: following.notFollowingUntilMs,
  waitsSinceMs: device.waitsSinceMs,
  waitedUntilMs: device.waitedUntilMs,
});

function explain(index: number, tree: FeederTree, { allocation, allowances, raises, isKept }: Settled): Explanation {
  const steerable = allocation.devices[index];
  if (steerable === undefined) return { level: 0, tier: 0, boundBy: null, note: 'free' };
  const { device, want } = steerable;
  const targetKw = real(raises.powerKw, index);
  const nameOf = (feeder: number) => tree.nodes[feeder]?.feederId ?? null;
  const deadband = isKept[index] === true ? ({ note: 'deadband' } as const) : {};
  const level = real(allocation.level, index);
  const tier = RELIEF_TIER[device.deviceType];
  const heldBy = whole(allowances.heldBy, index);
  const waitsFor = whole(allocation.waitsFor, index);
  if (waitsFor >= 0) return { level, tier, boundBy: nameOf(waitsFor), note: 'waits-for-turn' };
  if (want.restraint === 'turn') return { level, tier, boundBy: null, note: 'waits-for-turn' };
  const noRoomAt = whole(raises.heldBy, index);
  if (noRoomAt >= 0) return { level, tier, boundBy: nameOf(noRoomAt), note: 'waits-for-relief', ...deadband };
  if (isMoved(steerable, targetKw, isKept[index] === true)) {
    const boundBy = whole(allocation.boundBy, index);
    const note = isAtRating(steerable, targetKw) ? 'at-rating' : 'bound-by-node';
    return { level, tier, boundBy: nameOf(boundBy >= 0 ? boundBy : heldBy), note, ...deadband };
  }
  if (heldBy >= 0) return { level: 0, tier: 0, boundBy: nameOf(heldBy), note: 'bound-by-node', ...deadband };
  const note = want.restraint === 'ramp' ? 'ramping' : want.restraint === 'soc' ? 'soc-limit' : 'free';
  return { level: 0, tier: 0, boundBy: null, note, ...deadband };
}

/** Whether a limit moved it from its want; allowance beyond the want is no move. */
function isMoved({ device, want }: SteerableDevice, targetKw: number, isKept: boolean): boolean {
  if (isKept) return false;
  switch (device.deviceType) {
    case 'battery':
      return Math.abs(targetKw - want.wantKw) > ON_LIMIT_KW;
    case 'ev':
      return targetKw < want.wantKw - ON_LIMIT_KW || targetKw > Math.max(want.freeKw, want.wantKw) + ON_LIMIT_KW;
    case 'pv':
      return targetKw > want.wantKw + ON_LIMIT_KW;
  }
}

/** A helper that can give no more. */
const isAtRating = ({ device, want }: SteerableDevice, targetKw: number): boolean =>
  device.deviceType !== 'pv' &&
  (targetKw >= want.highKw - ON_LIMIT_KW || (device.deviceType === 'battery' && targetKw <= want.lowKw + ON_LIMIT_KW));
