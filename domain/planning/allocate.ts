/**
 * From wants and limits to one power per device, by the level solver.
 *
 * Two things the solver does not know are settled here. A dispatch may ask for more than the wires above it bear:
 * then the dispatch gives way, not the wires, and among dispatches the one with the higher primacy number. And a PV
 * or an EV may use less than it wants: planning with what they could do brings batteries in before anything is
 * curtailed, but where that cannot hold both sides of a limit, the plan that goes by what they do now is taken when
 * it can.
 */
import { real, whole } from '../allocation/packed';
import { solveLevels, type LevelSolution } from '../allocation/level-solver';
import type { SteerableDevice } from './device-state';
import { LimitRooms, type Feeders } from './limit-rooms';
import { reliefCurves } from './relief-order';
import { solverTree, type SolverTree } from './solver-tree';

export interface Allocation {
  /** kW of each device, in the order given. */
  readonly powerKw: Float64Array;
  /** Level of each device. */
  readonly level: Float64Array;
  /** Index of the feeder whose limit set that level; -1 for none. */
  readonly boundBy: Int32Array;
  /** Per feeder: 1 holds devices back for import, -1 for export, 0 not at all. */
  readonly binding: Int8Array;
  /** What the devices below each feeder may sum to, once dispatches have given way. */
  readonly rooms: LimitRooms;
}

/** Solves for these devices; pure and deterministic. */
export function allocate(feeders: Feeders, devices: readonly SteerableDevice[]): Allocation {
  const hopeful = allocateWithin(feeders, devices);
  const overKw = hopeful.rooms.brokenKw(hopeful.powerKw, devices);
  if (overKw === 0) return hopeful;
  const certain = allocateWithin(feeders, devices.map(asMeasured));
  return certain.rooms.brokenKw(certain.powerKw, devices) < overKw ? certain : hopeful;
}

/** Each round one dispatch side gives way to a limit above it, at most all the way; two per dispatch are enough. */
function allocateWithin(feeders: Feeders, devices: readonly SteerableDevice[]): Allocation {
  const tree = solverTree(feeders);
  const curves = reliefCurves(devices, tree.ownNode);
  const rooms = new LimitRooms(feeders);
  for (let round = 0; ; round += 1) {
    const solution = solveLevels({ parentOf: tree.parentOf, ...tree.roomsOf(rooms), curves });
    if (round >= 2 * rooms.dispatchedSides || !rooms.giveWay(solution.deviceKw, devices)) {
      return {
        powerKw: solution.deviceKw,
        rooms,
        ...perDevice(tree, solution, devices),
        binding: bindings(tree, solution),
      };
    }
  }
}

/** The same device believed to do no more than it does now. */
function asMeasured(steerable: SteerableDevice): SteerableDevice {
  const { want, device } = steerable;
  switch (device.deviceType) {
    case 'battery':
      return steerable;
    case 'ev': {
      const used = want.measuredKw > 0 ? Math.max(want.measuredKw, want.minimumKw) : 0;
      const highKw = Math.max(Math.min(want.highKw, used), want.lowKw);
      return { ...steerable, want: { ...want, highKw, wantKw: Math.min(Math.max(want.wantKw, want.lowKw), highKw) } };
    }
    case 'pv':
      return { ...steerable, want: { ...want, wantKw: Math.max(want.wantKw, Math.min(want.measuredKw, 0)) } };
  }
}

function perDevice(
  { ownNode, feederOf }: SolverTree,
  solution: LevelSolution,
  devices: readonly SteerableDevice[],
): Pick<Allocation, 'level' | 'boundBy'> {
  const level = new Float64Array(devices.length);
  const boundBy = new Int32Array(devices.length);
  devices.forEach(({ node }, index) => {
    const own = whole(ownNode, node);
    level[index] = real(solution.nodeLevel, own);
    boundBy[index] = whole(feederOf, whole(solution.boundBy, own));
  });
  return { level, boundBy };
}

/**
 * A feeder's own limit and the dispatches on it are several nodes of the solver: the innermost that holds anything
 * speaks.
 */
function bindings({ feederOf, feederCount }: SolverTree, { bindingSide }: LevelSolution): Int8Array {
  const binding = new Int8Array(feederCount);
  bindingSide.forEach((side, node) => {
    if (side !== 0) binding[whole(feederOf, node)] = side;
  });
  return binding;
}
