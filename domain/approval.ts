import type { Proposal } from './control-cycle';
import type { TreeSnapshot } from './fleet';
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
  const now = shiftsOf(plan, tree, presentKw(tree));
  return holds(plan, shiftsOf(plan, tree, targets), (feederId) => now.get(feederId) ?? 0);
}

/** Whether `targets` in place of the plan's own would leave each node inside its limits, or no worse than the plan does. */
const keepsEveryLimit = (plan: TreePlan, tree: TreeSnapshot, targets: Readonly<Record<string, number>>): boolean =>
  holds(plan, shiftsOf(plan, tree, targets), () => 0);

/** `excusedKw`: a shift by no more than this, in its direction, makes nothing worse. */
function holds(plan: TreePlan, shift: ReadonlyMap<string, number>, excusedKw: (feederId: string) => number): boolean {
  return plan.nodes.every(({ feederId, high, low, plannedHighKw, plannedLowKw }) => {
    const by = shift.get(feederId) ?? 0;
    const excused = excusedKw(feederId);
    const importHolds = by <= Math.max(0, excused) || plannedHighKw + by <= high.kw + toleranceKw(high.kw);
    const exportHolds = by >= Math.min(0, excused) || plannedLowKw + by >= low.kw - toleranceKw(low.kw);
    return importHolds && exportHolds;
  });
}

/** What each node's flow would differ by from the plan's, with `targets` in place of the plan's own. */
function shiftsOf(
  plan: TreePlan,
  tree: TreeSnapshot,
  targets: Readonly<Record<string, number>>,
): ReadonlyMap<string, number> {
  const parentOf = new Map(tree.feeders.map(({ feederId, parentId }) => [feederId, parentId]));
  const shift = new Map<string, number>();
  for (const { deviceId, feederId, targetKw } of plan.devices) {
    const delta = (targets[deviceId] ?? targetKw) - targetKw;
    for (let node: string | null = feederId; delta !== 0 && node !== null; node = parentOf.get(node) ?? null) {
      shift.set(node, (shift.get(node) ?? 0) + delta);
    }
  }
  return shift;
}

/** What the devices do now that have said so of late. */
const presentKw = ({ devices, settings }: TreeSnapshot): Readonly<Record<string, number>> =>
  Object.fromEntries(
    devices.flatMap(({ deviceId, reading }) =>
      reading === null || reading.ageSeconds > settings.staleSeconds ? [] : [[deviceId, reading.powerKw]],
    ),
  );

const toleranceKw = (limitKw: number): number => Math.max(TOLERANCE_KW, Math.abs(limitKw) * TOLERANCE_SHARE);
