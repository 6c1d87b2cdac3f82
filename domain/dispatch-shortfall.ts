import type { ActiveDispatch } from './fleet';
import type { NodePlan, TreePlan } from './plan';

/** What a dispatch asks for and the plan cannot place. */
export interface DispatchShortfall {
  readonly dispatchId: string;
  readonly feederId: string;
  /** >= 0. */
  readonly shortfallKw: number;
}

/**
 * One per dispatch in force: how far the plan stays off what it asks, kW. A node that holds its limits has none; a plan
 * that is still on its way there has none either.
 */
export function dispatchShortfalls(dispatches: readonly ActiveDispatch[], { nodes }: TreePlan): DispatchShortfall[] {
  const byId = new Map(nodes.map((node) => [node.feederId, node]));
  return dispatches.map((dispatch) => {
    const { dispatchId, feederId } = dispatch;
    const node = byId.get(feederId);
    return { dispatchId, feederId, shortfallKw: node === undefined ? 0 : shortfallKw(dispatch, node) };
  });
}

function shortfallKw({ importLimitKw, exportLimitKw, targetKw }: ActiveDispatch, node: NodePlan): number {
  const { missingKw, plannedHighKw, plannedLowKw } = node;
  if (missingKw === 0) return 0;
  const overHigh = targetKw ?? importLimitKw;
  const overLow = targetKw ?? (exportLimitKw === null ? null : 0 - exportLimitKw);
  const offKw = Math.max(
    0,
    overHigh === null ? 0 : (targetKw === null ? plannedHighKw : plannedLowKw) - overHigh,
    overLow === null ? 0 : overLow - (targetKw === null ? plannedLowKw : plannedHighKw),
  );
  return Math.min(offKw, missingKw);
}

/** How far the metered flow is off what the dispatch asks, kW, >= 0; null without a fresh meter at its node. */
export function undeliveredKw(
  { feederId, importLimitKw, exportLimitKw, targetKw }: ActiveDispatch,
  { nodes }: TreePlan,
): number | null {
  const measuredKw = nodes.find((node) => node.feederId === feederId)?.measuredKw ?? null;
  if (measuredKw === null) return null;
  const highKw = targetKw ?? importLimitKw ?? Infinity;
  const lowKw = targetKw ?? (exportLimitKw === null ? -Infinity : 0 - exportLimitKw);
  return Math.max(0, measuredKw - highKw, lowKw - measuredKw);
}
