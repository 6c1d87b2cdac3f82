import type { Proposal } from './control-cycle';
import type { Device, TreeSnapshot } from './fleet';
import type { DevicePlan, TreePlan } from './plan';

export interface UnderApproval {
  readonly plan: TreePlan;
  /** Targets that wait for approval, by device id; null when nothing waits. */
  readonly waiting: Readonly<Record<string, number>> | null;
  /** true: `waiting` is a new proposal and replaces the one before. */
  readonly proposesAnew: boolean;
  /** Plan id of the approved proposal that this plan carries out. */
  readonly applies: string | null;
}

/**
 * What nobody controls changes by a little from cycle to cycle: a proposal that uses a limit to the full would otherwise be
 * replaced before anybody could approve it. Share of the limit, and its least, kW; the next proposal makes good for it.
 */
const TOLERANCE_SHARE = 0.01;
const TOLERANCE_KW = 0.5;

/**
 * Manual mode: changes wait for approval of exactly the plan that was proposed; renewals of what was approved need none.
 *
 * A proposal stands for one setpoint lifetime, so that there is time to approve it, and is then replaced. An approved one
 * goes out with its own targets, its validity counted from now; one that would meanwhile break a limit does not go out:
 * it is proposed anew. A limit that is broken already keeps back nothing that relieves it: part of a relief is better
 * than none, and the next proposal makes good for the rest.
 */
export function underApproval(plan: TreePlan, tree: TreeSnapshot, proposal: Proposal | null): UnderApproval {
  const open = proposal !== null && proposal.appliedAtMs === null ? proposal : null;
  if (open !== null && open.approvedAtMs !== null && mayGoOut(plan, tree, open.targets)) {
    const devices = plan.devices.map((device) => approved(device, open.targets[device.deviceId]));
    return { plan: { ...plan, devices }, waiting: null, proposesAnew: false, applies: open.planId };
  }
  const changes = plan.devices.filter(({ publish }) => publish === 'change');
  const devices = plan.devices.map((device) => (device.publish === 'change' ? unpublished(device) : device));
  if (changes.length === 0) return { plan: { ...plan, devices }, waiting: null, proposesAnew: false, applies: null };
  const stands =
    open !== null &&
    open.approvedAtMs === null &&
    tree.nowMs - open.proposedAtMs < tree.settings.setpointTtlSeconds * 1000 &&
    keepsEveryLimit(plan, tree, open.targets);
  const waiting = stands
    ? open.targets
    : Object.fromEntries(changes.map(({ deviceId, targetKw }) => [deviceId, targetKw]));
  return { plan: { ...plan, devices }, waiting, proposesAnew: !stands, applies: null };
}

const unpublished = (device: DevicePlan): DevicePlan => ({ ...device, publish: 'none' });

const approved = (device: DevicePlan, targetKw: number | undefined): DevicePlan => {
  if (targetKw !== undefined) return { ...device, targetKw, publish: 'change' };
  return device.publish === 'change' ? unpublished(device) : device;
};

/** Whether `targets` would leave each side of each node inside its limit, or no worse than it stands or than the plan does. */
function mayGoOut(plan: TreePlan, tree: TreeSnapshot, targets: Readonly<Record<string, number>>): boolean {
  const change = changesOf(plan, tree, targets);
  return holds(plan, shiftsOf(plan, tree, targets), (feederId) => change.get(feederId) ?? 0);
}

/** Whether `targets` in place of the plan's own would leave each node inside its limits, or no worse than the plan does. */
const keepsEveryLimit = (plan: TreePlan, tree: TreeSnapshot, targets: Readonly<Record<string, number>>): boolean =>
  holds(plan, shiftsOf(plan, tree, targets), () => NaN);

/** `changeKw`: how publishing changes a node's flow; what does not raise it breaks no import limit. NaN: nobody knows. */
function holds(plan: TreePlan, shift: ReadonlyMap<string, number>, changeKw: (feederId: string) => number): boolean {
  return plan.nodes.every(({ feederId, high, low, plannedHighKw, plannedLowKw }) => {
    const by = shift.get(feederId) ?? 0;
    const change = changeKw(feederId);
    const importHolds = by <= 0 || change <= 0 || plannedHighKw + by <= high.kw + toleranceKw(high.kw);
    const exportHolds = by >= 0 || change >= 0 || plannedLowKw + by >= low.kw - toleranceKw(low.kw);
    return importHolds && exportHolds;
  });
}

/** What each node's flow would differ by from the plan's, with `targets` in place of the plan's own. */
const shiftsOf = (
  plan: TreePlan,
  tree: TreeSnapshot,
  targets: Readonly<Record<string, number>>,
): ReadonlyMap<string, number> =>
  sumUpwards(tree, plan, ({ deviceId, targetKw }) => (targets[deviceId] ?? targetKw) - targetKw);

/** What each node's flow would change by, were exactly these targets published now. */
function changesOf(
  plan: TreePlan,
  tree: TreeSnapshot,
  targets: Readonly<Record<string, number>>,
): ReadonlyMap<string, number> {
  const presentKw = new Map(tree.devices.map((device) => [device.deviceId, heldKw(device, tree)]));
  return sumUpwards(tree, plan, ({ deviceId }) => {
    const targetKw = targets[deviceId];
    return targetKw === undefined ? 0 : targetKw - (presentKw.get(deviceId) ?? NaN);
  });
}

/** The command that a device holds, else what it says of late that it does; NaN when nobody knows. */
function heldKw({ acknowledged, reading }: Device, { nowMs, settings }: TreeSnapshot): number {
  if (acknowledged !== null && acknowledged.validUntilMs > nowMs) return acknowledged.targetKw;
  return reading !== null && reading.ageSeconds <= settings.staleSeconds ? reading.powerKw : NaN;
}

function sumUpwards(
  tree: TreeSnapshot,
  plan: TreePlan,
  ofDevice: (device: DevicePlan) => number,
): ReadonlyMap<string, number> {
  const parentOf = new Map(tree.feeders.map(({ feederId, parentId }) => [feederId, parentId]));
  const sums = new Map<string, number>();
  for (const device of plan.devices) {
    const kw = ofDevice(device);
    for (let node: string | null = device.feederId; kw !== 0 && node !== null; node = parentOf.get(node) ?? null) {
      sums.set(node, (sums.get(node) ?? 0) + kw);
    }
  }
  return sums;
}

const toleranceKw = (limitKw: number): number => Math.max(TOLERANCE_KW, Math.abs(limitKw) * TOLERANCE_SHARE);
