/**
 * Raises only into room that is measured.
 *
 * A plan holds every limit once all of it is done, but devices are not equally quick: a PV is at its new cap at once and
 * an EV soon, a battery needs its ramp. Told together, they would run ahead of the battery they count on. So for them a
 * battery counts at the worse of what it measures and what it is told; what they do not get now follows with a later
 * plan, when the battery shows it in its readings. What cuts is never held back.
 *
 * The two sides do not touch: only EVs are raised against an import limit and only PVs against an export limit, and
 * neither counts on the other side for more than it measures.
 */
import { LevelCurves } from '../allocation/level-curves';
import { solveLevels } from '../allocation/level-solver';
import { addTo, real, whole } from '../allocation/packed';
import { commandsInForce } from './commands';
import type { SteerableDevice } from './device-state';
import { sumUpwards, type FeederTree } from './feeder-tree';
import { countedHighKw, countedLowKw, ON_LIMIT_KW, type Feeders, type LimitRooms } from './limit-rooms';

export interface HeldRaises {
  /** kW of each device, in the order given. */
  readonly powerKw: Float64Array;
  /** Per device, the feeder that has no measured room for its raise yet; -1 for none. */
  readonly heldBy: Int32Array;
}

/** `powerKw` with those raises shortened that would run ahead; each by the same part under one limit. */
export function raiseIntoMeasuredRoom(
  { tree }: Feeders,
  rooms: LimitRooms,
  devices: readonly SteerableDevice[],
  powerKw: Float64Array,
  nowMs: number,
): HeldRaises {
  const held = { powerKw: powerKw.slice(), heldBy: new Int32Array(powerKw.length).fill(-1) };
  hold({ tree, devices, nowMs, powerKw, sign: 1, raised: 'ev', roomKw: rooms.highKw }, held);
  hold({ tree, devices, nowMs, powerKw, sign: -1, raised: 'pv', roomKw: rooms.lowKw.map((kw) => 0 - kw) }, held);
  return held;
}

/** One side of the limits. On the export side (-1) powers and rooms change sign, so that both share one procedure. */
interface Side {
  readonly tree: FeederTree;
  readonly devices: readonly SteerableDevice[];
  readonly nowMs: number;
  /** As planned. */
  readonly powerKw: Float64Array;
  readonly sign: 1 | -1;
  readonly raised: 'ev' | 'pv';
  /** What the devices below each node may sum to, times `sign`. */
  readonly roomKw: Float64Array;
}

function hold(side: Side, held: HeldRaises): void {
  const { tree, devices, sign, powerKw, roomKw } = side;
  const onTheWay = new Float64Array(tree.nodes.length);
  devices.forEach((steerable, index) => {
    addTo(onTheWay, steerable.node, onTheWayKw(side, steerable, sign * real(powerKw, index)));
  });
  sumUpwards(tree, onTheWay);
  if (onTheWay.every((kw, node) => kw <= real(roomKw, node) + ON_LIMIT_KW)) return;

  const raises = raisesOf(side);
  const raised = new Float64Array(tree.nodes.length);
  for (const { node, byKw } of raises) addTo(raised, node, byKw);
  sumUpwards(tree, raised);
  const left = roomKw.map((kw, node) => Math.max(0, kw - real(onTheWay, node) + real(raised, node)));
  shorten(side, raises, left, held);
}

interface Raise {
  readonly index: number;
  readonly node: number;
  /** From where it stands, times `sign`. */
  readonly fromKw: number;
  readonly byKw: number;
}

function raisesOf(side: Side): Raise[] {
  const { devices, sign, powerKw, raised } = side;
  return devices.flatMap((steerable, index): Raise[] => {
    if (steerable.device.deviceType !== raised) return [];
    const toKw = sign * real(powerKw, index);
    const fromKw = Math.min(toKw, standsAtKw(side, steerable));
    return toKw - fromKw > ON_LIMIT_KW ? [{ index, node: steerable.node, fromKw, byKw: toKw - fromKw }] : [];
  });
}

function shorten({ tree, devices, sign }: Side, raises: readonly Raise[], left: Float64Array, held: HeldRaises): void {
  const curves = new LevelCurves(raises.length);
  for (const { node, byKw } of raises) curves.device(node).point(-1, 0).point(0, byKw);
  const unlimited = new Float64Array(left.length).fill(-Infinity);
  const solution = solveLevels({ parentOf: tree.parentOf, roomHighKw: left, roomLowKw: unlimited, curves });
  raises.forEach(({ index, node, fromKw, byKw }, place) => {
    const gotKw = real(solution.deviceKw, place);
    if (gotKw >= byKw - ON_LIMIT_KW) return;
    const kw = fromKw + gotKw;
    const isBelowMinimum = kw > ON_LIMIT_KW && kw < (devices[index]?.want.minimumKw ?? 0) - ON_LIMIT_KW;
    held.powerKw[index] = sign * (isBelowMinimum ? fromKw : kw) + 0;
    held.heldBy[index] = whole(solution.boundBy, node);
  });
}

/** What it counts at while the plan is carried out, times `sign`. */
function onTheWayKw({ sign }: Side, steerable: SteerableDevice, toKw: number): number {
  const counted = sign > 0 ? countedHighKw : countedLowKw;
  const toldKw = sign * counted(steerable, sign * toKw);
  return steerable.device.deviceType === 'battery' ? Math.max(toldKw, sign * steerable.want.measuredKw) : toldKw;
}

/** Where it may stand without another word, within its bounds: what it measures or the command in force. */
function standsAtKw({ nowMs, sign }: Side, { device, want }: SteerableDevice): number {
  const commands = commandsInForce(device, nowMs);
  const measuredKw = sign * want.measuredKw;
  const usedKw = measuredKw > ON_LIMIT_KW ? Math.max(measuredKw, want.minimumKw) : 0;
  const toldKw = commands === null ? 0 : sign > 0 ? commands.highKw : 0 - commands.lowKw;
  return Math.min(Math.max(usedKw, toldKw), sign > 0 ? want.highKw : 0 - want.lowKw);
}
