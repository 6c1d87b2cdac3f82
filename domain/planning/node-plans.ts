import { addTo, real } from '../allocation/packed';
import type { FeederNode, PlanSettings } from '../fleet';
import type { NodePlan } from '../plan';
import type { DeviceState } from './device-state';
import { sumUpwards, type FeederTree } from './feeder-tree';
import { countedHighKw, countedLowKw, ON_LIMIT_KW, type Feeders } from './limit-rooms';
import type { NodeLimits } from './limits-in-force';
import type { UncontrolledFlow } from './uncontrolled-flow';

export interface NodePlanInput {
  readonly feeders: Feeders;
  readonly uncontrolled: UncontrolledFlow;
  readonly settings: PlanSettings;
  /** Sums of the planned devices below each node, as import and as export judge them, kW. */
  readonly steered: SteeredSums;
  /** The same once every raise that waits for measured room was made: what the limits are judged by. */
  readonly inTheEnd: SteeredSums;
  /** Per node: 1 holds devices back for import, -1 for export, 0 not at all. */
  readonly binding: Int8Array;
}

interface SteeredSums {
  readonly high: Float64Array;
  readonly low: Float64Array;
}

/** One plan per node, in the order of the tree. */
export function nodePlans(input: NodePlanInput): NodePlan[] {
  const { feeders, uncontrolled, settings, steered, inTheEnd, binding } = input;
  const { tree, limits, fixedHighKw, fixedLowKw } = feeders;
  return limits.flatMap((limit, index) => {
    const node = tree.nodes[index];
    if (node === undefined) return [];
    const plannedHighKw = real(fixedHighKw, index) + real(steered.high, index);
    const plannedLowKw = real(fixedLowKw, index) + real(steered.low, index);
    return {
      feederId: node.feederId,
      high: limit.high,
      low: limit.low,
      claims: limit.claims,
      measuredKw: freshFlowKw(node, settings),
      plannedHighKw,
      plannedLowKw,
      uncontrolledHighKw: real(uncontrolled.highKw, index),
      uncontrolledLowKw: real(uncontrolled.lowKw, index),
      meteredUncontrolledKw: uncontrolled.meteredKw[index] ?? null,
      meterStale: uncontrolled.isMeterStale[index] ?? false,
      binding: sideName(binding[index] ?? 0),
      missingKw: missingKw(
        limit,
        real(fixedHighKw, index) + real(inTheEnd.high, index),
        real(fixedLowKw, index) + real(inTheEnd.low, index),
      ),
    };
  });
}

const freshFlowKw = ({ meter }: FeederNode, { staleSeconds }: PlanSettings): number | null =>
  meter !== null && meter.ageSeconds <= staleSeconds ? meter.flowKw : null;

/**
 * How far the node stays outside its limits. A target is missed only when it lies outside what the flow may be; who
 * uses less than allowed makes the flow uncertain, not the target missed.
 */
function missingKw(limit: NodeLimits, plannedHighKw: number, plannedLowKw: number): number {
  const { targetKw } = limit;
  const [highKw, lowKw] = targetKw === null ? [limit.high.kw, limit.low.kw] : [limit.ownHighKw, limit.ownLowKw];
  const missed = targetKw === null ? 0 : Math.max(plannedLowKw - targetKw, targetKw - plannedHighKw);
  const missing = Math.max(plannedHighKw - highKw, lowKw - plannedLowKw, missed);
  return missing > ON_LIMIT_KW ? missing : 0;
}

const sideName = (side: number): NodePlan['binding'] => (side > 0 ? 'import' : side < 0 ? 'export' : 'none');

/**
 * What flows through each node without any device that is steered: uncontrolled flow and the devices that only count.
 */
export function fixedFlow(
  tree: FeederTree,
  states: readonly DeviceState[],
  uncontrolled: UncontrolledFlow,
): Pick<Feeders, 'fixedHighKw' | 'fixedLowKw'> {
  const high = new Float64Array(tree.nodes.length);
  const low = new Float64Array(tree.nodes.length);
  for (const state of states) {
    if (state.kind === 'steerable' || state.kind === 'unrated') continue;
    addTo(high, state.node, state.highKw);
    addTo(low, state.node, state.lowKw);
  }
  sumUpwards(tree, high);
  sumUpwards(tree, low);
  return {
    fixedHighKw: high.map((kw, node) => kw + real(uncontrolled.highKw, node)),
    fixedLowKw: low.map((kw, node) => kw + real(uncontrolled.lowKw, node)),
  };
}

/** Sums when the devices that can be steered stand where they were told, whatever the limits. */
export function toldSums(tree: FeederTree, states: readonly DeviceState[], toldKw: readonly number[]): SteeredSums {
  const high = new Float64Array(tree.nodes.length);
  const low = new Float64Array(tree.nodes.length);
  states.forEach((state, index) => {
    if (state.kind !== 'steerable') return;
    addTo(high, state.node, countedHighKw(state, toldKw[index] ?? 0));
    addTo(low, state.node, countedLowKw(state, toldKw[index] ?? 0));
  });
  return { high: sumUpwards(tree, high), low: sumUpwards(tree, low) };
}
