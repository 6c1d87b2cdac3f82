import { real } from '../allocation/packed';
import type { Feeders, LimitRooms } from './limit-rooms';

/**
 * The feeders as the solver sees them: a node for what each feeder's wires bear, and around it one for what
 * dispatches ask of it. The solver keeps the limits of the inner node first, so wires come before wishes. A target
 * asks for both sides at once; the side away from zero is kept first (no more import than an import target, no more
 * export than an export target).
 */
export interface SolverTree {
  readonly parentOf: Int32Array;
  /** Node of the solver on which a feeder's devices and children hang. */
  readonly ownNode: Int32Array;
  /** Feeder of each node of the solver. */
  readonly feederOf: Int32Array;
  readonly feederCount: number;
  readonly roomsOf: (rooms: LimitRooms) => { roomHighKw: Float64Array; roomLowKw: Float64Array };
}

type Layer = 'own' | 'asked' | 'asked-high' | 'asked-low';

export function solverTree({ tree, limits }: Feeders): SolverTree {
  const layers: Layer[] = [];
  const feederOf: number[] = [];
  const parentOf: number[] = [];
  const ownNode = new Int32Array(tree.nodes.length);
  limits.forEach((limit, feeder) => {
    let parent = feeder === 0 ? -1 : (ownNode[tree.parentOf[feeder] ?? 0] ?? -1);
    for (const layer of layersOf(limit)) {
      parentOf.push(parent);
      feederOf.push(feeder);
      parent = layers.push(layer) - 1;
    }
    ownNode[feeder] = parent;
  });
  return {
    parentOf: Int32Array.from(parentOf),
    ownNode,
    feederOf: Int32Array.from(feederOf),
    feederCount: tree.nodes.length,
    roomsOf: (rooms) => ({
      roomHighKw: Float64Array.from(layers, (layer, node) => highOf(layer, rooms, feederOf[node] ?? -1)),
      roomLowKw: Float64Array.from(layers, (layer, node) => lowOf(layer, rooms, feederOf[node] ?? -1)),
    }),
  };
}

/** From the outside in. */
function layersOf({ highBy, lowBy, targetKw }: Feeders['limits'][number]): readonly Layer[] {
  if (highBy === null && lowBy === null) return ['own'];
  if (targetKw === null) return ['asked', 'own'];
  return targetKw >= 0 ? ['asked-low', 'asked-high', 'own'] : ['asked-high', 'asked-low', 'own'];
}

function highOf(layer: Layer, rooms: LimitRooms, feeder: number): number {
  switch (layer) {
    case 'own':
      return real(rooms.ownHighKw, feeder);
    case 'asked':
    case 'asked-high':
      return real(rooms.highKw, feeder);
    case 'asked-low':
      return Infinity;
  }
}

function lowOf(layer: Layer, rooms: LimitRooms, feeder: number): number {
  switch (layer) {
    case 'own':
      return real(rooms.ownLowKw, feeder);
    case 'asked':
    case 'asked-low':
      return real(rooms.lowKw, feeder);
    case 'asked-high':
      return -Infinity;
  }
}
