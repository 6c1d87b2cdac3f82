import { isDeepStrictEqual } from 'node:util';
import type { StoredCycle } from '../../db/stored-cycles';
import { dispatchShortfalls } from '../../domain/dispatch-shortfall';
import { explainNodes } from '../../domain/explanation/node-why';
import type { TreeSnapshot } from '../../domain/fleet';
import { kwText } from '../../domain/in-words';
import type { TreePlan } from '../../domain/plan';
import type { TargetDifference } from '../../domain/what-if';

/** A watt: smaller differences are none. */
const WATT_KW = 0.001;

export interface PlanStoryInput {
  readonly rootFeederId: string;
  readonly tree: TreeSnapshot;
  readonly plan: TreePlan;
  readonly differences: readonly TargetDifference[];
  /** Most devices. */
  readonly limit: number;
}

/** A plan as people read it: nodes with their reasons, and the devices that differ most from what is in force. */
export function planStory({ rootFeederId, tree, plan, differences, limit }: PlanStoryInput) {
  const nodes = explainNodes(tree, plan);
  const ranked = plan.devices
    .map((device, index) => ({ device, difference: differences[index] }))
    .sort((a, b) => byKw(b.difference) - byKw(a.difference) || (a.device.deviceId < b.device.deviceId ? -1 : 1));
  const differing = differences.filter((difference) => byKw(difference) > WATT_KW);
  const shortfalls = dispatchShortfalls(tree.dispatches, plan);
  return {
    rootFeederId,
    mode: tree.mode,
    nodes,
    devices: ranked.slice(0, limit).map(({ device: { deviceId, feederId, targetKw, explanation }, difference }) => ({
      ...{ deviceId, feederId, targetKw, explanation },
      inForceKw: difference?.inForceKw ?? null,
      differenceKw: difference?.differenceKw ?? null,
    })),
    deviceCount: plan.devices.length,
    differing: differing.length,
    shortfalls,
    words: [
      ...nodes.filter(({ missingKw, binding }) => missingKw > 0 || binding !== 'none').flatMap(({ words }) => words),
      ...shortfalls
        .filter(({ shortfallKw }) => shortfallKw > WATT_KW)
        .map(({ dispatchId, shortfallKw }) => `Dispatch ${dispatchId} falls short by ${kwText(shortfallKw)}.`),
      ...named(plan.offlineDevices, 'offline'),
      ...named(plan.staleDevices, 'stale'),
      ...named(plan.notFollowingDevices, 'not following'),
      ...named(plan.unratedDevices, 'without a rating'),
    ],
  };
}

/** Whether a plan made again from the recorded input is the one that was stored, to the bit. */
export function replayOf({ record, nodes, changedTargets }: StoredCycle, plan: TreePlan) {
  const sameNodes = isDeepStrictEqual(asJson(plan.nodes), nodes);
  if (record.mode === 'manual') return { identical: sameNodes, compared: 'nodes' as const };
  const changes = plan.devices.filter(({ publish }) => publish === 'change');
  const targets = Object.fromEntries(changes.map(({ deviceId, targetKw }) => [deviceId, targetKw]));
  return {
    identical: sameNodes && isDeepStrictEqual(asJson(targets), changedTargets),
    compared: 'nodes-and-setpoints' as const,
  };
}

/** As Postgres gave it back: without the sign of zero. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** What nobody knows is a difference too. */
const byKw = (difference: TargetDifference | undefined): number => Math.abs(difference?.differenceKw ?? Infinity);

const MOST_NAMED = 5;

function named(deviceIds: readonly string[], what: string): string[] {
  if (deviceIds.length === 0) return [];
  const more = deviceIds.length > MOST_NAMED ? ` and ${String(deviceIds.length - MOST_NAMED)} more` : '';
  return [`${String(deviceIds.length)} ${what}: ${deviceIds.slice(0, MOST_NAMED).join(', ')}${more}.`];
}
