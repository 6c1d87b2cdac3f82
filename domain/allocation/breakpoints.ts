import type { LevelCurves } from './level-curves';
import { whole } from './packed';
import { LevelOrder } from './level-order';

/**
 * Where the curves of the devices bend, node by node.
 *
 * Each sloping stretch of a curve begins and ends with a breakpoint; with two more where one of the sides begins or stops
 * to count it (see `LevelCurves.device`).
 */
export interface Breakpoints {
  readonly levels: Float64Array;
  /** Change of slope of the high and of the low curves at each breakpoint, seen from left to right, kW per level. */
  readonly highBends: Float64Array;
  readonly lowBends: Float64Array;
  /** A node's own breakpoints, ascending, are `startOfNode[node] .. endOfNode[node]`, the end not included. */
  readonly startOfNode: Int32Array;
  readonly endOfNode: Int32Array;
  /** Behind all of them is room for two more per node, from here on. */
  readonly count: number;
  /** Ends of the axis: no curve moves outside; 0 lies between. */
  readonly axisStart: number;
  readonly axisEnd: number;
}

/** Straight into place, counted per node before, and sorted there node by node. */
export function breakpointsByNode(curves: LevelCurves, nodes: number): Breakpoints {
  const startOfNode = mostByNode(curves, nodes);
  const found = new FoundBreakpoints(startOfNode, nodes);
  for (let device = 0; device < curves.deviceCount; device += 1) {
    const end = curves.firstPointOf(device + 1);
    for (let right = curves.firstPointOf(device) + 1; right < end; right += 1) addStretch(found, curves, device, right);
  }
  found.sort(startOfNode);
  const { levels, highBends, lowBends, endOfNode, axisStart, axisEnd } = found;
  const count = whole(startOfNode, nodes);
  return { levels, highBends, lowBends, startOfNode, endOfNode, count, axisStart, axisEnd };
}

/** Where the stretch of each node starts when every curve needs as many breakpoints as it can. */
function mostByNode(curves: LevelCurves, nodes: number): Int32Array {
  const starts = new Int32Array(nodes + 1);
  for (let device = 0; device < curves.deviceCount; device += 1) {
    const first = curves.firstPointOf(device);
    const end = curves.firstPointOf(device + 1);
    let most = 0;
    for (let right = first + 1; right < end; right += 1) {
      if (curves.kwAtPoint(right) > curves.kwAtPoint(right - 1)) most += 2;
    }
    if (curves.highFloorOf(device) > -Infinity) most += 2;
    if (curves.lowCeilingOf(device) < Infinity) most += 2;
    const after = curves.nodeOf(device) + 1;
    starts[after] = whole(starts, after) + most;
  }
  for (let node = 0; node < nodes; node += 1) starts[node + 1] = whole(starts, node + 1) + whole(starts, node);
  return starts;
}

class FoundBreakpoints {
  readonly levels: Float64Array;
  readonly highBends: Float64Array;
  readonly lowBends: Float64Array;
  readonly endOfNode: Int32Array;
  axisStart = 0;
  axisEnd = 0;

  constructor(startOfNode: Int32Array, nodes: number) {
    const capacity = whole(startOfNode, nodes) + 2 * nodes;
    this.levels = new Float64Array(capacity);
    this.highBends = new Float64Array(capacity);
    this.lowBends = new Float64Array(capacity);
    this.endOfNode = startOfNode.slice(0, nodes);
  }

  add(node: number, level: number, highBend: number, lowBend: number): void {
    const place = whole(this.endOfNode, node);
    this.levels[place] = level;
    this.highBends[place] = highBend;
    this.lowBends[place] = lowBend;
    this.endOfNode[node] = place + 1;
  }

  /** Sorts the stretch of each node. */
  sort(startOfNode: Int32Array): void {
    const stretches = this.endOfNode.map((end, node) => end - whole(startOfNode, node));
    const order = new LevelOrder(stretches.reduce((most, count) => Math.max(most, count), 0));
    for (let node = 0; node < this.endOfNode.length; node += 1) {
      const from = whole(startOfNode, node);
      const to = whole(this.endOfNode, node);
      order.find(this.levels, from, to);
      order.apply(this.levels, from, to);
      order.apply(this.highBends, from, to);
      order.apply(this.lowBends, from, to);
    }
  }
}

function addStretch(found: FoundBreakpoints, curves: LevelCurves, device: number, right: number): void {
  const fromLevel = curves.levelAt(right - 1);
  const toLevel = curves.levelAt(right);
  const fromKw = curves.kwAtPoint(right - 1);
  const toKw = curves.kwAtPoint(right);
  if (toKw <= fromKw || toLevel <= fromLevel) return;
  if (fromLevel < found.axisStart) found.axisStart = fromLevel;
  if (toLevel > found.axisEnd) found.axisEnd = toLevel;
  const node = curves.nodeOf(device);
  const slope = (toKw - fromKw) / (toLevel - fromLevel);
  const highFloor = curves.highFloorOf(device);
  const lowCeiling = curves.lowCeilingOf(device);
  if (highFloor <= fromKw && lowCeiling >= toKw) {
    found.add(node, fromLevel, slope, slope);
    found.add(node, toLevel, -slope, -slope);
    return;
  }
  if (highFloor < toKw) {
    found.add(node, highFloor <= fromKw ? fromLevel : fromLevel + (highFloor - fromKw) / slope, slope, 0);
    found.add(node, toLevel, -slope, 0);
  }
  if (lowCeiling > fromKw) {
    found.add(node, fromLevel, 0, slope);
    found.add(node, lowCeiling >= toKw ? toLevel : fromLevel + (lowCeiling - fromKw) / slope, 0, -slope);
  }
}
