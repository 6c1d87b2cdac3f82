import type { ActiveDispatch, FeederNode } from '../fleet';
import { byText } from '../in-words';
import type { LimitInForce } from '../plan';

/** Bounds of the flow through one node, kW, import positive; low <= high always. */
export interface NodeLimits {
  /** What the wires bear: the feeder's own limits, which no dispatch may loosen. */
  readonly ownHighKw: number;
  readonly ownLowKw: number;
  /** The same narrowed by the dispatches in force, and by whom. */
  readonly high: LimitInForce;
  readonly low: LimitInForce;
  /** The dispatch that narrowed each side; null where the own limit holds. */
  readonly highBy: ActiveDispatch | null;
  readonly lowBy: ActiveDispatch | null;
  /** Both sides come from one target: the flow to reach, kW. */
  readonly targetKw: number | null;
}

/**
 * The tightest of a node's own limits and the dispatches in force on it.
 *
 * Dispatches that leave nothing of each other were refused or superseded on admission; should two meet here all the
 * same (limits were lowered since), the lower primacy number wins, then the earlier one: the other narrows what is
 * left of the range to its nearest point. Own limits always hold.
 */
export function limitsInForce(feeder: FeederNode, dispatches: readonly ActiveDispatch[]): NodeLimits {
  let limits: NodeLimits = {
    ownHighKw: feeder.importLimitKw,
    ownLowKw: 0 - feeder.exportLimitKw,
    high: { kw: feeder.importLimitKw, source: { kind: 'static' } },
    low: { kw: 0 - feeder.exportLimitKw, source: { kind: 'static' } },
    highBy: null,
    lowBy: null,
    targetKw: null,
  };
  for (const dispatch of [...dispatches].sort(byPrecedence)) limits = narrowedBy(limits, dispatch);
  return limits;
}

/** Who prevails comes first: lower primacy number, then earlier acceptance, then id. */
export const byPrecedence = (a: ActiveDispatch, b: ActiveDispatch): number =>
  a.primacy - b.primacy || a.acceptedAtMs - b.acceptedAtMs || byText(a.dispatchId, b.dispatchId);

function narrowedBy(limits: NodeLimits, dispatch: ActiveDispatch): NodeLimits {
  const { dispatchId, importLimitKw, exportLimitKw, targetKw } = dispatch;
  const askedHigh = Math.min(importLimitKw ?? Infinity, targetKw ?? Infinity);
  const askedLow = Math.max(exportLimitKw === null ? -Infinity : 0 - exportLimitKw, targetKw ?? -Infinity);
  const highKw = Math.min(limits.high.kw, Math.max(askedHigh, limits.low.kw));
  const lowKw = Math.max(limits.low.kw, Math.min(askedLow, highKw));
  const source = { kind: 'dispatch', dispatchId } as const;
  return {
    ...limits,
    ...(highKw < limits.high.kw ? { high: { kw: highKw, source }, highBy: dispatch } : {}),
    ...(lowKw > limits.low.kw ? { low: { kw: lowKw, source }, lowBy: dispatch } : {}),
    targetKw: limits.targetKw ?? (targetKw === null ? null : Math.min(Math.max(targetKw, lowKw), highKw)),
  };
}
