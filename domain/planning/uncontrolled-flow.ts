import { addTo, real, whole } from '../allocation/packed';
import type { FeederNode, PlanSettings } from '../fleet';
import type { DeviceState } from './device-state';
import { sumUpwards, type FeederTree } from './feeder-tree';

/** Flow that no plan can move, per node of the tree, whole subtree each, kW, import positive. */
export interface UncontrolledFlow {
  readonly highKw: Float64Array;
  readonly lowKw: Float64Array;
  /** From this node's own fresh meter; null otherwise. */
  readonly meteredKw: readonly (number | null)[];
  readonly isMeterStale: readonly boolean[];
}

/**
 * Uncontrolled flow of every subtree.
 *
 * A fresh meter settles it for the whole subtree: its flow less what the devices below do. Without a meter it is the
 * node's base load, what its unrated devices measure, and the uncontrolled flow of its children, metered or not. A stale meter counts at its
 * worst of the last hour, and before the first hour at the worse of what it last said and what it would be without one.
 */
export function uncontrolledFlow(
  tree: FeederTree,
  states: readonly DeviceState[],
  settings: PlanSettings,
): UncontrolledFlow {
  const own = Float64Array.from(tree.nodes, ({ baseLoadKw }) => baseLoadKw);
  const devicesBelow = new Float64Array(tree.nodes.length);
  for (const { kind, node, nowKw } of states) addTo(kind === 'unrated' ? own : devicesBelow, node, nowKw);
  sumUpwards(tree, devicesBelow);

  const highKw = own.slice();
  const lowKw = own;
  const meteredKw: (number | null)[] = new Array<number | null>(tree.nodes.length).fill(null);
  for (let node = tree.nodes.length - 1; node >= 0; node -= 1) {
    const assumed = { highKw: real(highKw, node), lowKw: real(lowKw, node) };
    const known = fromMeter(tree.nodes[node]?.meter ?? null, real(devicesBelow, node), assumed, settings);
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

interface Estimate {
  readonly highKw: number;
  readonly lowKw: number;
}

function fromMeter(
  meter: FeederNode['meter'],
  devicesBelowKw: number,
  assumed: Estimate,
  settings: PlanSettings,
): Estimate & { meteredKw: number | null } {
  if (meter === null) return { ...assumed, meteredKw: null };
  const derivedKw = meter.flowKw - devicesBelowKw;
  if (!isStale(meter, settings)) return { highKw: derivedKw, lowKw: derivedKw, meteredKw: derivedKw };
  const worst = meter.worstUncontrolledKw ?? {
    highKw: Math.max(derivedKw, assumed.highKw),
    lowKw: Math.min(derivedKw, assumed.lowKw),
  };
  return { ...worst, meteredKw: null };
}

const isStale = (meter: FeederNode['meter'], { staleSeconds }: PlanSettings): boolean =>
  meter !== null && meter.ageSeconds > staleSeconds;
