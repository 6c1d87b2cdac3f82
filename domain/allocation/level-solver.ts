/**
 * The fair optimum on a tree of two-sided limits, exactly.
 *
 * Every device follows one level. A node that would break its import limit holds everything below it at a
 * lower level, one that would break its export limit at a higher one; so each node ends with a range of
 * levels it permits, and a device with the level of its parent pushed into the ranges on the way down.
 * That this is optimal for every convex objective at once is shown by Hochbaum & Hong, Mathematical
 * Programming 69 (1995), and for laminar limits by Schoot Uiterkamp, Gerards & Hurink, arXiv 2008.11829.
 *
 * The ranges are found from the leaves up. Take the breakpoints from the top of the axis while the limit is
 * broken: whatever lies above is flat from then on and never looked at again. The same from the bottom for
 * the other limit. Each breakpoint is taken at most once in the whole tree: O(n log n), sorting included.
 *
 * A device may count differently on the two sides (`LevelCurves.device`): import is judged with the high
 * curves, export with the low ones. A node that cannot hold both holds import; one that cannot hold even
 * that takes the end of the axis. The limits of a descendant are kept before those of its ancestors.
 */
import { BreakpointRuns, type RunEnd } from './breakpoint-runs';
import { breakpointsByNode, type Breakpoints } from './breakpoints';
import type { LevelCurves } from './level-curves';
import { addTo, real, whole } from './packed';

/** What the devices below each node may sum to. Nodes are indices; a parent has a smaller index than its children. */
export interface LevelProblem {
  /** Index of the parent; -1 for the root, which is node 0. */
  readonly parentOf: Int32Array;
  /** Most that the devices below may take by their high curves, kW; Infinity when nothing limits them. */
  readonly roomHighKw: Float64Array;
  /** Least that they must take by their low curves, kW; -Infinity when nothing limits them. */
  readonly roomLowKw: Float64Array;
  readonly curves: LevelCurves;
}

export interface LevelSolution {
  readonly deviceKw: Float64Array;
  /** Level of the devices that hang on each node. */
  readonly nodeLevel: Float64Array;
  /** The node whose limit set the level of each node: itself, an ancestor, or -1 when the level is 0. */
  readonly boundBy: Int32Array;
  /** Which of the node's own limits changed the level it got from above: 1 import, -1 export, 0 none. */
  readonly bindingSide: Int8Array;
}

/** Sums closer than this to a limit are on it: far below a watt, far above what adding 100,000 numbers loses. */
export const LIMIT_TOLERANCE_KW = 1e-9;

/** Solves in O(n log n). Pure and deterministic: the same problem gives the same bits. */
export function solveLevels(problem: LevelProblem): LevelSolution {
  const ranges = permittedRanges(problem);
  const descent = descend(problem, ranges);
  const { curves } = problem;
  const deviceKw = new Float64Array(curves.deviceCount);
  for (let device = 0; device < deviceKw.length; device += 1) {
    deviceKw[device] = curves.kwAt(device, real(descent.nodeLevel, curves.nodeOf(device)));
  }
  return { deviceKw, ...descent };
}

interface PermittedRanges {
  readonly lowest: Float64Array;
  readonly highest: Float64Array;
}

/** Level 0 is everybody's want: the root starts there and each node pushes it into its own range. */
function descend({ parentOf }: LevelProblem, ranges: PermittedRanges): Omit<LevelSolution, 'deviceKw'> {
  const nodeLevel = new Float64Array(parentOf.length);
  const boundBy = new Int32Array(parentOf.length).fill(-1);
  const bindingSide = new Int8Array(parentOf.length);
  for (let node = 0; node < parentOf.length; node += 1) {
    const parent = whole(parentOf, node);
    const level = parent < 0 ? 0 : real(nodeLevel, parent);
    const held = Math.min(Math.max(level, real(ranges.lowest, node)), real(ranges.highest, node));
    nodeLevel[node] = held;
    bindingSide[node] = Math.sign(level - held);
    boundBy[node] = held === level ? (parent < 0 ? -1 : whole(boundBy, parent)) : node;
  }
  return { nodeLevel, boundBy, bindingSide };
}

function permittedRanges(problem: LevelProblem): PermittedRanges {
  const { parentOf } = problem;
  const sweep = startSweep(problem);
  for (let node = parentOf.length - 1; node >= 0; node -= 1) {
    narrow(sweep, sweep.fromAbove, node);
    narrow(sweep, sweep.fromBelow, node);
    const parent = whole(parentOf, node);
    if (parent >= 0) joinParent(sweep, node, parent);
  }
  return { lowest: sweep.fromBelow.reached, highest: sweep.fromAbove.reached };
}

/**
 * One end of the axis. From below everything is the mirror image: levels and powers change sign, so that both ends
 * share one procedure. From above the high curves are held to their limit, from below the low ones.
 */
interface SweepEnd {
  readonly end: RunEnd;
  readonly sign: 1 | -1;
  /** Where the node's range ends on this side, a level. */
  readonly reached: Float64Array;
  /** Sum of this side's curves over the node's subtree at `reached`, times `sign`. */
  readonly sumKw: Float64Array;
  /** What that sum may be, times `sign`. */
  readonly roomKw: Float64Array;
  readonly heap: Int32Array;
}

interface Sweep {
  readonly breakpoints: Breakpoints;
  readonly runs: BreakpointRuns;
  readonly fromAbove: SweepEnd;
  readonly fromBelow: SweepEnd;
  /** Breakpoints added behind all others, at most two per node. */
  cuts: number;
}

/**
 * Takes breakpoints from one end of the node's curves while the limit on that side is broken, and ends the range
 * where it holds.
 */
function narrow(sweep: Sweep, side: SweepEnd, node: number): void {
  const { sign, end } = side;
  const { levels, highBends, lowBends } = sweep.breakpoints;
  const [own, other] = sign > 0 ? [highBends, lowBends] : [lowBends, highBends];
  const opposite = (sign > 0 ? sweep.fromBelow : sweep.fromAbove).reached;
  const room = real(side.roomKw, node);
  let sum = real(side.sumKw, node);
  if (!(sum > room + LIMIT_TOLERANCE_KW)) return;

  let heap = sweep.runs.settle(end, whole(side.heap, node));
  let level = sign * real(side.reached, node);
  let slope = 0;
  let otherSlope = 0;
  let next = level;
  while (heap >= 0) {
    const breakpoint = sweep.runs.peek(end, heap);
    next = sign * real(levels, breakpoint);
    const step = slope * Math.max(level - next, 0);
    if (sum - step <= room + LIMIT_TOLERANCE_KW) break;
    sum -= step;
    level = next;
    slope -= sign * real(own, breakpoint);
    otherSlope -= sign * real(other, breakpoint);
    heap = sweep.runs.take(end, heap);
  }
  if (heap < 0) {
    level = sign * real(opposite, node); // flat to the other end: nothing below this node can give more
  } else {
    level = Math.max(level - (sum - room) / slope, next);
    sum = room;
    const bends = sign > 0 ? { high: -slope, low: -otherSlope } : { high: otherSlope, low: slope };
    heap = cutOff(sweep, side, { level: sign * level, node, heap, ...bends });
  }
  side.heap[node] = heap;
  side.reached[node] = sign * level;
  side.sumKw[node] = sum;
}

/** The curves are flat beyond `level` now: one breakpoint says so to the ancestors. */
function cutOff(
  sweep: Sweep,
  side: SweepEnd,
  cut: { level: number; high: number; low: number; node: number; heap: number },
): number {
  const { levels, highBends, lowBends, count } = sweep.breakpoints;
  const breakpoint = count + sweep.cuts;
  sweep.cuts += 1;
  levels[breakpoint] = cut.level;
  highBends[breakpoint] = cut.high;
  lowBends[breakpoint] = cut.low;
  const run = sweep.runs.add(breakpoint, breakpoint);
  const other = side === sweep.fromAbove ? sweep.fromBelow : sweep.fromAbove;
  other.heap[cut.node] = sweep.runs.join(other.end, whole(other.heap, cut.node), run);
  return sweep.runs.join(side.end, cut.heap, run);
}

function joinParent(sweep: Sweep, node: number, parent: number): void {
  for (const side of [sweep.fromAbove, sweep.fromBelow]) {
    addTo(side.sumKw, parent, real(side.sumKw, node));
    const heap = sweep.runs.settle(side.end, whole(side.heap, node));
    side.heap[parent] = sweep.runs.join(side.end, whole(side.heap, parent), heap);
  }
}

/** Each node with its own devices only; children are joined on the way up. */
function startSweep({ curves, parentOf, roomHighKw, roomLowKw }: LevelProblem): Sweep {
  const nodes = parentOf.length;
  const breakpoints = breakpointsByNode(curves, nodes);
  const runs = new BreakpointRuns(breakpoints.levels, 3 * nodes);
  const fromAbove: SweepEnd = {
    end: 'highest',
    sign: 1,
    reached: new Float64Array(nodes).fill(breakpoints.axisEnd),
    sumKw: new Float64Array(nodes),
    roomKw: roomHighKw,
    heap: new Int32Array(nodes).fill(-1),
  };
  const fromBelow: SweepEnd = {
    end: 'lowest',
    sign: -1,
    reached: new Float64Array(nodes).fill(breakpoints.axisStart),
    sumKw: new Float64Array(nodes),
    roomKw: roomLowKw.map((kw) => -kw),
    heap: new Int32Array(nodes).fill(-1),
  };
  for (let node = 0; node < nodes; node += 1) {
    const run = runs.add(whole(breakpoints.startOfNode, node), whole(breakpoints.endOfNode, node) - 1);
    fromAbove.heap[node] = run;
    fromBelow.heap[node] = run;
  }
  for (let device = 0; device < curves.deviceCount; device += 1) addEndsOf(curves, device, fromAbove, fromBelow);
  return { breakpoints, runs, fromAbove, fromBelow, cuts: 0 };
}

function addEndsOf(curves: LevelCurves, device: number, fromAbove: SweepEnd, fromBelow: SweepEnd): void {
  const first = curves.firstPointOf(device);
  const last = curves.firstPointOf(device + 1) - 1;
  if (last < first) return;
  const node = curves.nodeOf(device);
  addTo(fromAbove.sumKw, node, Math.max(curves.kwAtPoint(last), curves.highFloorOf(device)));
  addTo(fromBelow.sumKw, node, -Math.min(curves.kwAtPoint(first), curves.lowCeilingOf(device)));
}
