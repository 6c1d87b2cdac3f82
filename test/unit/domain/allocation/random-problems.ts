import fc from 'fast-check';
import { LevelCurves } from '../../../../domain/allocation/level-curves';
import type { LevelProblem } from '../../../../domain/allocation/level-solver';

/** A tree with curves as plain data, so that tests can change it and look at it without the code under test. */
export interface PlainProblem {
  /** Parent of each node; -1 for node 0. */
  readonly parents: readonly number[];
  readonly devices: readonly PlainDevice[];
  /** A power for each device within its bounds: what the limits are made around. */
  readonly witnessKw: readonly number[];
  readonly high: readonly number[];
  readonly low: readonly number[];
}

export interface PlainDevice {
  readonly node: number;
  /** Ascending in both. */
  readonly points: readonly (readonly [level: number, kw: number])[];
  /** Counts on the import side at this at least, on the export side at this at most. */
  readonly countsFromKw?: number;
  readonly countsToKw?: number;
}

export function problemOf({ parents, devices, high, low }: PlainProblem): LevelProblem {
  const curves = new LevelCurves(devices.length);
  for (const { node, points, countsFromKw, countsToKw } of devices) {
    curves.device(node, countsFromKw, countsToKw);
    for (const [level, kw] of points) curves.point(level, kw);
  }
  return {
    parentOf: Int32Array.from(parents),
    roomHighKw: Float64Array.from(high),
    roomLowKw: Float64Array.from(low),
    curves,
  };
}

/** Sum of the devices in the subtree of each node. */
export function sumsOf({ parents, devices }: PlainProblem, powerKw: ArrayLike<number>): number[] {
  const sums = parents.map(() => 0);
  devices.forEach(({ node }, index) => {
    for (let at = node; at >= 0; at = parents[at] ?? -1) sums[at] = (sums[at] ?? 0) + (powerKw[index] ?? NaN);
  });
  return sums;
}

export const ancestorsOf = ({ parents }: PlainProblem, node: number): number[] =>
  node < 0 ? [] : [node, ...ancestorsOf({ parents } as PlainProblem, parents[node] ?? -1)];

const kw = fc.integer({ min: -40, max: 40 }).map((tenths) => tenths / 2);
const share = fc.integer({ min: 0, max: 1000 }).map((thousandths) => thousandths / 1000);

/** One to four sloping or flat stretches anywhere on the axis: degenerate ones included. */
const points = fc
  .record({
    startKw: kw,
    steps: fc.array(fc.tuple(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 0, max: 12 })), { maxLength: 4 }),
    startLevel: fc.integer({ min: -400, max: 100 }),
  })
  .map(({ startKw, steps, startLevel }) => {
    const found: [number, number][] = [[startLevel / 100, startKw]];
    for (const [span, rise] of steps) {
      const [level, power] = found.at(-1) ?? [0, 0];
      found.push([level + span / 100, power + rise]);
    }
    return found;
  });

const boundsOf = ({ points: all }: PlainDevice): [number, number] => [all[0]?.[1] ?? 0, all.at(-1)?.[1] ?? 0];

/** Random trees of up to six levels; limits leave the witness inside, many of them exactly on a limit, so all can be held at once. */
export const feasibleProblem = (mostNodes = 12, mostDevices = 40): fc.Arbitrary<PlainProblem> =>
  fc
    .record({
      parentShares: fc.array(share, { maxLength: mostNodes - 1, size: 'max' }),
      devices: fc.array(fc.record({ nodeShare: share, points }), { maxLength: mostDevices, size: 'max' }),
      witnessShares: fc.array(share, { minLength: mostDevices, maxLength: mostDevices }),
      slacks: fc.array(fc.tuple(slack(), slack()), { minLength: mostNodes, maxLength: mostNodes }),
    })
    .map(({ parentShares, devices: raw, witnessShares, slacks }) => {
      const parents = [-1, ...parentShares.map((part, index) => Math.min(index, Math.floor(part * (index + 1))))];
      const devices = raw.map(({ nodeShare, points: all }) => ({
        node: Math.min(parents.length - 1, Math.floor(nodeShare * parents.length)),
        points: all,
      }));
      const witnessKw = devices.map((device, index) => {
        const [least, most] = boundsOf(device);
        return least + (most - least) * (witnessShares[index] ?? 0);
      });
      const sums = sumsOf({ parents, devices, witnessKw, high: [], low: [] }, witnessKw);
      return {
        parents,
        devices,
        witnessKw,
        high: sums.map((sum, node) => sum + (slacks[node]?.[0] ?? 0)),
        low: sums.map((sum, node) => sum - (slacks[node]?.[1] ?? 0)),
      };
    });

function slack(): fc.Arbitrary<number> {
  return fc.oneof(
    fc.constant(0),
    fc.integer({ min: 0, max: 60 }).map((tenths) => tenths / 3),
    fc.constant(Infinity),
  );
}
