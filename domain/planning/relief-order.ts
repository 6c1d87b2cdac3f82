/**
 * Who gives way first: the stages of the level axis, and each device's curve over them.
 *
 * | level    | importing too much, downwards      | level  | exporting too much, upwards           |
 * |----------|------------------------------------|--------|---------------------------------------|
 * |  0 .. -1 | batteries discharge                | 0 .. 1 | batteries charge                      |
 * | -1 .. -2 | the same without weight: last      | 1 .. 2 | the same without weight: last         |
 * | -2 .. -3 | EVs without weight give way: first | 2 .. 3 | EVs draw more                         |
 * | -3 .. -4 | EVs give way                       | 3 .. 4 | the same without weight: last         |
 * |          |                                    | 4 .. 5 | PV without weight is curtailed: first |
 * |          |                                    | 5 .. 6 | PV is curtailed                       |
 */
import { LevelCurves } from '../allocation/level-curves';
import type { DeviceType } from '../fleet';
import type { SteerableDevice } from './device-state';
import { announce, placeAbove, placeBelow, reliefStage, type ReliefStage, type StageMove } from './relief-stages';

/** Relief step of a device that was moved from its want; 0 is kept for "not moved". */
export const RELIEF_TIER: Readonly<Record<DeviceType, number>> = { battery: 1, ev: 2, pv: 3 };

/** A weight this far below the largest is none: the shares of both could not be told apart in double precision. */
const LEAST_RELATIVE_WEIGHT = 1e-6;

/**
 * The curves of all devices, in the order given; `solverNodeOf` says where the devices of a feeder hang in the
 * solver.
 */
export function reliefCurves(devices: readonly SteerableDevice[], solverNodeOf: Int32Array): LevelCurves {
  const order = reliefOrder(devices);
  for (const steerable of devices) {
    const { below, above } = movesOf(steerable, order);
    if (below !== null) announce(below);
    if (above !== null) announce(above);
  }
  const curves = new LevelCurves(devices.length);
  for (const steerable of devices) {
    const { node, want } = steerable;
    const { below, above } = movesOf(steerable, order);
    curves.device(solverNodeOf[node] ?? -1, want.countsFromKw, want.countsToKw);
    const isPlacedBelow = below !== null && placeBelow(curves, below, want.wantKw);
    const isPlacedAbove = above !== null && placeAbove(curves, above, want.wantKw);
    if (!isPlacedBelow && !isPlacedAbove) curves.point(0, want.wantKw);
  }
  return curves;
}

interface Moves {
  readonly below: StageMove | null;
  readonly above: StageMove | null;
}

function movesOf({ device, want }: SteerableDevice, order: ReliefOrder): Moves {
  const { lowKw, wantKw, highKw } = want;
  const weighs = want.weight > order.leastWeight;
  const stages = weighs ? order.weighed : order.unweighed;
  const weight = weighs ? want.weight : 1;
  const drawMore = { kind: 'give', weight, leastKw: 0, mostKw: highKw - wantKw } as const;
  switch (device.deviceType) {
    case 'battery':
      return {
        below: { stage: stages.discharge, kind: 'give', weight, leastKw: 0, mostKw: wantKw - lowKw },
        above: { stage: stages.charge, ...drawMore },
      };
    case 'ev':
      return {
        below: { stage: stages.evGivesWay, kind: 'keep', weight, leastKw: lowKw, mostKw: wantKw },
        above: { stage: stages.evDrawsMore, ...drawMore },
      };
    case 'pv':
      return {
        below: null,
        above: { stage: stages.curtail, kind: 'keep', weight, leastKw: 0 - highKw, mostKw: 0 - wantKw },
      };
  }
}

interface Stages {
  readonly discharge: ReliefStage;
  readonly evGivesWay: ReliefStage;
  readonly charge: ReliefStage;
  readonly evDrawsMore: ReliefStage;
  readonly curtail: ReliefStage;
}

interface ReliefOrder {
  readonly weighed: Stages;
  readonly unweighed: Stages;
  /** At or below this a weight counts as none. */
  readonly leastWeight: number;
}

const reliefOrder = (devices: readonly SteerableDevice[]): ReliefOrder => ({
  leastWeight: devices.reduce((most, { want }) => Math.max(most, want.weight), 0) * LEAST_RELATIVE_WEIGHT,
  weighed: {
    discharge: reliefStage(0, -1),
    evGivesWay: reliefStage(-3, -4),
    charge: reliefStage(0, 1),
    evDrawsMore: reliefStage(2, 3),
    curtail: reliefStage(5, 6),
  },
  unweighed: {
    discharge: reliefStage(-1, -2),
    evGivesWay: reliefStage(-2, -3),
    charge: reliefStage(1, 2),
    evDrawsMore: reliefStage(3, 4),
    curtail: reliefStage(4, 5),
  },
});
