/**
 * Hands out what is left as allowance: a PV may produce and an EV may draw more than the plan counts on, as long as every
 * limit above still holds if they do.
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
import { countedHighKw, countedLowKw, ON_LIMIT_KW, type Feeders } from './limit-rooms';
import { announce, placeAbove, placeBelow, reliefStage, type StageMove } from './relief-stages';

export interface Allowances {
  readonly powerKw: Float64Array;
  /** Per device, the feeder whose limit keeps its allowance below what it is free to have; -1 for none. */
  readonly heldBy: Int32Array;
}

/** The allocation with its allowances widened; no power is lowered for an EV or raised for a PV. */
export function widenAllowances(feeders: Feeders, allocation: MinimumAllocation): Allowances {
  const powerKw = allocation.powerKw.slice();
  const heldBy = new Int32Array(powerKw.length).fill(-1);
  widen(feeders, allocation, { powerKw, heldBy }, 'ev');
  widen(feeders, allocation, { powerKw, heldBy }, 'pv');
  return { powerKw, heldBy };
}

interface Candidate {
  readonly index: number;
  readonly steerable: SteerableDevice;
  readonly fromKw: number;
}

function widen(feeders: Feeders, allocation: MinimumAllocation, into: Allowances, type: 'ev' | 'pv'): void {
  const candidates = candidatesOf(allocation, type);
  if (candidates.length === 0) return;
  const { roomHighKw, roomLowKw } = roomLeft(allocation, candidates, type);
  const curves = allowanceCurves(candidates, type);
  const solution = solveLevels({ parentOf: feeders.tree.parentOf, roomHighKw, roomLowKw, curves });
  candidates.forEach(({ index, steerable, fromKw }, place) => {
    const kw = real(solution.deviceKw, place);
    if (type === 'ev' && kw < steerable.want.minimumKw - ON_LIMIT_KW) return;
    into.powerKw[index] = type === 'ev' ? Math.max(kw, fromKw) : Math.min(kw, fromKw);
    if (Math.abs(kw - steerable.want.freeKw) > ON_LIMIT_KW) {
      into.heldBy[index] = whole(solution.boundBy, steerable.node);
    }
  });
}

function candidatesOf({ devices, powerKw }: MinimumAllocation, type: 'ev' | 'pv'): Candidate[] {
  const candidates: Candidate[] = [];
  devices.forEach((steerable, index) => {
    if (steerable.device.deviceType !== type) return;
    const fromKw = real(powerKw, index);
    const { freeKw } = steerable.want;
    if (type === 'ev' ? freeKw > fromKw + ON_LIMIT_KW : freeKw < fromKw - ON_LIMIT_KW) {
      candidates.push({ index, steerable, fromKw });
    }
  });
  return candidates;
}

/** Room of each limit without these devices; a limit that is broken already leaves what they have and nothing more. */
function roomLeft(
  { rooms, powerKw, devices }: MinimumAllocation,
  candidates: readonly Candidate[],
  type: 'ev' | 'pv',
): { roomHighKw: Float64Array; roomLowKw: Float64Array } {
  const { high, low } = rooms.sums(powerKw, devices);
  const steerables = candidates.map(({ steerable }) => steerable);
  const held = rooms.sums(
    Float64Array.from(candidates, ({ fromKw }) => fromKw),
    steerables,
  );
  const ownHigh = Float64Array.from(candidates, ({ steerable, fromKw }) => fromKw - countedHighKw(steerable, fromKw));
  const ownLow = Float64Array.from(candidates, ({ steerable, fromKw }) => fromKw - countedLowKw(steerable, fromKw));
  void ownHigh;
  void ownLow;
  const nodes = high.length;
  const none = (value: number) => new Float64Array(nodes).fill(value);
  return type === 'ev'
    ? {
        roomHighKw: held.high.map((kw, node) => kw + Math.max(0, real(rooms.highKw, node) - real(high, node))),
        roomLowKw: none(-Infinity),
      }
    : {
        roomHighKw: none(Infinity),
        roomLowKw: held.low.map((kw, node) => kw - Math.max(0, real(low, node) - real(rooms.lowKw, node))),
      };
}

function allowanceCurves(candidates: readonly Candidate[], type: 'ev' | 'pv'): LevelCurves {
  const sign = type === 'ev' ? 1 : -1;
  const unused = reliefStage(0, -sign);
  const unweighed = reliefStage(-sign, -2 * sign);
  const weighed = reliefStage(-2 * sign, -3 * sign);
  const moves = candidates.map(({ steerable: { want }, fromKw }): { unused: StageMove; used: StageMove } => {
    const [from, wanted, free] = [fromKw * sign, want.wantKw * sign, want.freeKw * sign];
    const usable = Math.min(Math.max(wanted, from), free);
    return {
      unused: { stage: unused, kind: 'keep', weight: free - usable || 1, leastKw: 0, mostKw: free - usable },
      used: {
        stage: want.weight > 0 ? weighed : unweighed,
        kind: 'keep',
        weight: want.weight > 0 ? want.weight : 1,
        leastKw: from,
        mostKw: usable,
      },
    };
  });
  for (const move of moves) {
    announce(move.unused);
    announce(move.used);
  }
  const curves = new LevelCurves();
  candidates.forEach(({ steerable: { want, node }, fromKw }, place) => {
    const move = moves[place];
    curves.device(node);
    if (move === undefined) return;
    const usableKw = Math.min(Math.max(want.wantKw * sign, fromKw * sign), want.freeKw * sign) * sign;
    const placed =
      sign > 0
        ? [placeBelow(curves, move.used, usableKw), placeBelow(curves, move.unused, want.freeKw)]
        : [placeAbove(curves, move.unused, want.freeKw), placeAbove(curves, move.used, usableKw)];
    if (!placed.includes(true)) curves.point(0, want.freeKw);
  });
  return curves;
}
