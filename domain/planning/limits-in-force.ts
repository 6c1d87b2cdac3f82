import type { ActiveDispatch, FeederNode, OperatingEnvelope } from '../fleet';
import { byText } from '../in-words';
import type { LimitClaim, LimitInForce, LimitSource } from '../plan';

/** Bounds of the flow through one node, kW, import positive; low <= high always. */
export interface NodeLimits {
  /** What must hold whatever is dispatched: the feeder's static limits, narrowed by operating envelopes. */
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
  /** What each envelope and dispatch asks, tightest or not. */
  readonly claims: readonly LimitClaim[];
}

/** What speaks for one node beside its static limits. */
export interface NodeClaims {
  readonly envelopes: readonly OperatingEnvelope[];
  readonly dispatches: readonly ActiveDispatch[];
}

/**
 * The tightest of a node's static limits, the operating envelopes and the dispatches in force on it.
 *
 * Dispatches that leave nothing of each other were refused or superseded on admission; should two meet here all the
 * same (limits were lowered since), the lower primacy number wins, then the earlier one: the other narrows what is
 * left of the range to its nearest point. Static limits and envelopes always hold.
 */
export function limitsInForce(feeder: FeederNode, { envelopes, dispatches }: NodeClaims): NodeLimits {
  const own = ownLimits(feeder, envelopes);
  let limits: NodeLimits = {
    ...own,
    ...{ ownHighKw: own.high.kw, ownLowKw: own.low.kw },
    ...{ highBy: null, lowBy: null, targetKw: null },
    claims: [...envelopes.flatMap(claimsOfEnvelope), ...dispatches.flatMap(claimsOfDispatch)],
  };
  for (const dispatch of [...dispatches].sort(byPrecedence)) limits = narrowedBy(limits, dispatch);
  return limits;
}

/** Who prevails comes first: lower primacy number, then earlier acceptance, then id. */
export const byPrecedence = (a: ActiveDispatch, b: ActiveDispatch): number =>
  a.primacy - b.primacy || a.acceptedAtMs - b.acceptedAtMs || byText(a.dispatchId, b.dispatchId);

function ownLimits(feeder: FeederNode, envelopes: readonly OperatingEnvelope[]): Pick<NodeLimits, 'high' | 'low'> {
  const high: LimitInForce = { kw: feeder.importLimitKw, source: { kind: 'static' } };
  const low: LimitInForce = { kw: 0 - feeder.exportLimitKw, source: { kind: 'static' } };
  return envelopes
    .toSorted((a, b) => byText(a.envelopeId, b.envelopeId))
    .flatMap(claimsOfEnvelope)
    .reduce(
      (limits, { side, ...claim }) => {
        if (side === 'import') return claim.kw < limits.high.kw ? { ...limits, high: claim } : limits;
        return claim.kw > limits.low.kw ? { ...limits, low: claim } : limits;
      },
      { high, low },
    );
}

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

const claimsOfEnvelope = ({ envelopeId, source, importLimitKw, exportLimitKw }: OperatingEnvelope): LimitClaim[] =>
  claimsOf({ kind: 'envelope', envelopeId, publishedBy: source }, importLimitKw, exportLimitKw);

function claimsOfDispatch({ dispatchId, importLimitKw, exportLimitKw, targetKw }: ActiveDispatch): LimitClaim[] {
  const source = { kind: 'dispatch', dispatchId } as const;
  if (targetKw === null) return claimsOf(source, importLimitKw, exportLimitKw);
  return [
    { side: 'import', kw: targetKw, source },
    { side: 'export', kw: targetKw, source },
  ];
}

const claimsOf = (source: LimitSource, importLimitKw: number | null, exportLimitKw: number | null): LimitClaim[] => [
  ...(importLimitKw === null ? [] : [{ side: 'import', kw: importLimitKw, source } as const]),
  ...(exportLimitKw === null ? [] : [{ side: 'export', kw: 0 - exportLimitKw, source } as const]),
];
