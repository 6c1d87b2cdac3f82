/**
 * Hands out what is left as allowance: a PV may produce and an EV may draw more than the plan counts on, as long as
 * every limit above still holds if they do.
 *
 * EVs are let up to their maximum by the room on the import side, PVs to their rating by that on the export side. Where
 * room is short, what a device can use comes before what it cannot, shared by weight like everything else. So caps and
 * allowances stand wide open, and still, while nothing is scarce, and close in on what is used as it gets scarce.
 */
import { LevelCurves } from '../allocation/level-curves';
import { solveLevels } from '../allocation/level-solver';
import { real, whole } from '../allocation/packed';
import type { MinimumAllocation } from './charging-minimums';
import type { SteerableDevice } from './device-state';
import { ON_LIMIT_KW, type Feeders } from './limit-rooms';
import { announce, placeAbove, placeBelow, reliefStage, type StageMove } from './relief-stages';

export interface Allowances {
  readonly powerKw: Float64Array;
  /** Per device, the feeder whose limit keeps its allowance below what it is free to have; -1 for none. */
  readonly heldBy: Int32Array;
}

/** The allocation with its allowances widened: no EV gets less by it and no PV's cap becomes tighter. */
export function widenAllowances(feeders: Feeders, allocation: MinimumAllocation): Allowances {
  const widened = { powerKw: allocation.powerKw.slice(), heldBy: new Int32Array(allocation.powerKw.length).fill(-1) };
  widen(feeders, allocation, widened, 'ev');
  widen(feeders, allocation, widened, 'pv');
  return widened;
}

interface Candidate {
  readonly index: number;
  readonly steerable: SteerableDevice;
  /** Power it has; power that the plan can count on it to use; power it is free to have. */
  readonly fromKw: number;
  readonly usableKw: number;
  readonly freeKw: number;
}

function widen(feeders: Feeders, allocation: MinimumAllocation, widened: Allowances, type: 'ev' | 'pv'): void {
  const candidates = candidatesOf(allocation, type);
  if (candidates.length === 0) return;
  const curves = type === 'ev' ? importAllowances(candidates) : exportAllowances(candidates);
  const room = type === 'ev' ? importRoom(allocation, candidates) : exportRoom(allocation, candidates);
  const solution = solveLevels({ parentOf: feeders.tree.parentOf, ...room, curves });
  candidates.forEach(({ index, steerable, fromKw, freeKw }, place) => {
    const kw = real(solution.deviceKw, place);
    if (type === 'ev' && kw < steerable.want.minimumKw - ON_LIMIT_KW) return;
    widened.powerKw[index] = type === 'ev' ? Math.max(kw, fromKw) : Math.min(kw, fromKw);
    if (Math.abs(kw - freeKw) > ON_LIMIT_KW) widened.heldBy[index] = whole(solution.boundBy, steerable.node);
  });
}

function candidatesOf({ devices, powerKw }: MinimumAllocation, type: 'ev' | 'pv'): Candidate[] {
  const sign = type === 'ev' ? 1 : -1;
  return devices.flatMap((steerable, index) => {
    const { wantKw, freeKw } = steerable.want;
    const fromKw = real(powerKw, index);
    if (steerable.device.deviceType !== type || sign * (freeKw - fromKw) <= ON_LIMIT_KW) return [];
    const usableKw = sign * Math.min(Math.max(sign * wantKw, sign * fromKw), sign * freeKw);
    return [{ index, steerable, fromKw, usableKw, freeKw }];
  });
}

interface Room {
  readonly roomHighKw: Float64Array;
  readonly roomLowKw: Float64Array;
}

/** What these EVs have, and what is left under each limit; nothing is left under one that is broken. */
function importRoom({ rooms, powerKw, devices }: MinimumAllocation, candidates: readonly Candidate[]): Room {
  const { high } = rooms.sums(powerKw, devices);
  const held = rooms.sums(powersOf(candidates), candidates.map(steerableOf)).high;
  const left = (node: number) => Math.max(0, real(rooms.highKw, node) - real(high, node));
  return {
    roomHighKw: held.map((kw, node) => kw + left(node)),
    roomLowKw: new Float64Array(held.length).fill(-Infinity),
  };
}

function exportRoom({ rooms, powerKw, devices }: MinimumAllocation, candidates: readonly Candidate[]): Room {
  const { low } = rooms.sums(powerKw, devices);
  const held = rooms.sums(powersOf(candidates), candidates.map(steerableOf)).low;
  const left = (node: number) => Math.max(0, real(low, node) - real(rooms.lowKw, node));
  return {
    roomHighKw: new Float64Array(held.length).fill(Infinity),
    roomLowKw: held.map((kw, node) => kw - left(node)),
  };
}

/** Downwards from level 0: first the allowance nobody uses goes, by the same part for all, then what could be used. */
function importAllowances(candidates: readonly Candidate[]): LevelCurves {
  const moves = movesOf(candidates, [reliefStage(0, -1), reliefStage(-1, -2), reliefStage(-2, -3)]);
  const curves = new LevelCurves(candidates.length);
  candidates.forEach(({ steerable, usableKw, freeKw }, place) => {
    const move = moves[place];
    curves.device(steerable.node);
    if (move === undefined) return;
    placeBelow(curves, move.used, usableKw);
    placeBelow(curves, move.unused, freeKw);
  });
  return curves;
}

/** The mirror image, upwards. */
function exportAllowances(candidates: readonly Candidate[]): LevelCurves {
  const moves = movesOf(candidates, [reliefStage(0, 1), reliefStage(1, 2), reliefStage(2, 3)]);
  const curves = new LevelCurves(candidates.length);
  candidates.forEach(({ steerable, usableKw, freeKw }, place) => {
    const move = moves[place];
    curves.device(steerable.node);
    if (move === undefined) return;
    placeAbove(curves, move.unused, freeKw);
    placeAbove(curves, move.used, usableKw);
  });
  return curves;
}

type Stages = readonly [
  unused: ReturnType<typeof reliefStage>,
  unweighed: ReturnType<typeof reliefStage>,
  weighed: ReturnType<typeof reliefStage>,
];

function movesOf(
  candidates: readonly Candidate[],
  [unused, unweighed, weighed]: Stages,
): { unused: StageMove; used: StageMove }[] {
  const moves = candidates.map(({ steerable: { want }, fromKw, usableKw, freeKw }) => {
    const unusedKw = Math.abs(freeKw - usableKw);
    const weighs = want.weight > 0;
    const used = { leastKw: Math.abs(fromKw), mostKw: Math.abs(usableKw), weight: weighs ? want.weight : 1 };
    return {
      unused: { stage: unused, kind: 'keep', weight: unusedKw > 0 ? unusedKw : 1, leastKw: 0, mostKw: unusedKw },
      used: { stage: weighs ? weighed : unweighed, kind: 'keep', ...used },
    } as const;
  });
  for (const move of moves) {
    announce(move.unused);
    announce(move.used);
  }
  return moves;
}

const powersOf = (candidates: readonly Candidate[]): Float64Array =>
  Float64Array.from(candidates, ({ fromKw }) => fromKw);
const steerableOf = ({ steerable }: Candidate): SteerableDevice => steerable;
