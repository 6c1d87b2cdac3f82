import { addTo, real, whole } from '../allocation/packed';
import type { MeterReading, PlanSettings } from '../fleet';
import type { PowerSpan } from './commands';
import type { DeviceState } from './device-state';
import type { FeederTree } from './feeder-tree';
import { spanAtMeterReading } from './motion';

/** Flow that no plan can move, per node of the tree, whole subtree each, kW, import positive. */
export interface UncontrolledFlow {
  readonly highKw: Float64Array;
  readonly lowKw: Float64Array;
  /** From this node's own fresh meter; null otherwise. */
  readonly meteredKw: readonly (PowerSpan | null)[];
  readonly isMeterStale: readonly boolean[];
}

/**
 * Uncontrolled flow of every subtree.
 *
 * A fresh meter settles it for the whole subtree: its flow less what the devices below did when it was read (see `motion.ts`). Where
 * that is a span, because devices were under way, it is narrowed by what the plan before knew.
 * Without a meter it is the node's base load, what its unrated devices measure, and the uncontrolled flow of its
 * children, metered or not. A stale meter counts at its worst of the last hour, and before the first hour at the worse of
 * what it last said and what it would be without one.
 */
export function uncontrolledFlow(
  tree: FeederTree,
  states: readonly DeviceState[],
  nowMs: number,
  settings: PlanSettings,
): UncontrolledFlow {
  const own = Float64Array.from(tree.nodes, ({ baseLoadKw }) => baseLoadKw);
  for (const { kind, node, nowKw } of states) if (kind === 'unrated') addTo(own, node, nowKw);
  const below = devicesBelowMeters(tree, states, nowMs, settings);

  const highKw = own.slice();
  const lowKw = own;
  const meteredKw: (PowerSpan | null)[] = new Array<PowerSpan | null>(tree.nodes.length).fill(null);
  for (let node = tree.nodes.length - 1; node >= 0; node -= 1) {
    const assumed = { highKw: real(highKw, node), lowKw: real(lowKw, node) };
    const meter = tree.nodes[node]?.meter ?? null;
    const devices = { lowKw: real(below.lowKw, node), highKw: real(below.highKw, node) };
    const known = meter === null ? { ...assumed, meteredKw: null } : fromMeter(meter, devices, assumed, settings);
    highKw[node] = known.highKw;
    lowKw[node] = known.lowKw;
    meteredKw[node] = known.meteredKw;
    const parent = whole(tree.parentOf, node);
    if (parent < 0) continue;
    addTo(highKw, parent, known.highKw);
    addTo(lowKw, parent, known.lowKw);
  }
  return { highKw, lowKw, meteredKw, isMeterStale: tree.nodes.map(({ meter }) => isStale(meter, settings)) };
}

/** For each metered node what the devices below it may have done when its meter was read; sums in the order of the devices. */
function devicesBelowMeters(
  tree: FeederTree,
  states: readonly DeviceState[],
  nowMs: number,
  settings: PlanSettings,
): { lowKw: Float64Array; highKw: Float64Array } {
  const lowKw = new Float64Array(tree.nodes.length);
  const highKw = new Float64Array(tree.nodes.length);
  for (const state of states) {
    if (state.kind === 'unrated') continue;
    for (let node = state.node; node >= 0; node = whole(tree.parentOf, node)) {
      const meter = tree.nodes[node]?.meter ?? null;
      if (meter === null) continue;
      const span = spanAtMeterReading(state, nowMs - meter.ageSeconds * 1000, nowMs, settings);
      addTo(lowKw, node, span.lowKw);
      addTo(highKw, node, span.highKw);
    }
  }
  return { lowKw, highKw };
}

function fromMeter(
  meter: MeterReading,
  devices: PowerSpan,
  assumed: PowerSpan,
  settings: PlanSettings,
): PowerSpan & { meteredKw: PowerSpan | null } {
  const derived = { lowKw: meter.flowKw - devices.highKw, highKw: meter.flowKw - devices.lowKw };
  if (isStale(meter, settings)) {
    const worst = meter.worstUncontrolledKw ?? {
      highKw: Math.max(derived.highKw, assumed.highKw),
      lowKw: Math.min(derived.lowKw, assumed.lowKw),
    };
    return { ...worst, meteredKw: null };
  }
  const believed = believedFlow(derived, meter.lastUncontrolledKw);
  return { ...believed, meteredKw: believed };
}

/**
 * What two spans that both hold the flow have in common; where they have nothing in common the flow has changed, and the
 * point of the new span nearest to the old one is taken.
 */
function believedFlow(derived: PowerSpan, before: PowerSpan | null): PowerSpan {
  if (before === null) return derived;
  const clamped = (kw: number): number => Math.min(Math.max(kw, derived.lowKw), derived.highKw);
  return { lowKw: clamped(before.lowKw), highKw: clamped(before.highKw) };
}

const isStale = (meter: MeterReading | null, { staleSeconds }: PlanSettings): boolean =>
  meter !== null && meter.ageSeconds > staleSeconds;
