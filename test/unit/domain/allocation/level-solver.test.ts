import fc from 'fast-check';
import { solveLevels } from '../../../../domain/allocation/level-solver';
import { solvedByBisection } from './by-bisection';
import {
  ancestorsOf,
  feasibleProblem,
  problemOf,
  sumsOf,
  type PlainDevice,
  type PlainProblem,
} from './random-problems';

const NEAR = 1e-6;

describe('the worked examples', () => {
  it.each`
    limitKw | bounds                         | setpoints
    ${35}   | ${[[6, 16], [6, 16], [6, 16]]} | ${[11.67, 11.67, 11.67]}
    ${35}   | ${four([6, 16])}               | ${[8.75, 8.75, 8.75, 8.75]}
    ${35}   | ${[...four([6, 16]), [6, 16]]} | ${[7, 7, 7, 7, 7]}
    ${3}    | ${[[0, 10], [0, 10], [2, 10]]} | ${[0.5, 0.5, 2]}
  `('shares $limitKw kW over chargers with bounds $bounds as $setpoints', ({ limitKw, bounds, setpoints }) => {
    const devices = (bounds as [number, number][]).map(([least, most]) => keeps({ least, most }));
    expect(rounded(solve(oneNode(devices, limitKw as number)).deviceKw)).toEqual(setpoints);
  });

  it('shares by weight: weights 1, 2, 3 with maxima 11, 11, 5 under 12 kW keep 2.33, 4.67 and 5', () => {
    const devices = [keeps({ most: 11, weight: 1 }), keeps({ most: 11, weight: 2 }), keeps({ most: 5, weight: 3 })];
    expect(rounded(solve(oneNode(devices, 12)).deviceKw)).toEqual([2.33, 4.67, 5]);
  });

  it('serves tier 1 before tier 2: two and three times 11 kW under 40 kW are 11, 11, 6, 6, 6', () => {
    const tier1 = keeps({ most: 11, stage: -2 });
    const tier2 = keeps({ most: 11, stage: -1 });
    expect(rounded(solve(oneNode([tier1, tier1, tier2, tier2, tier2], 40)).deviceKw)).toEqual([11, 11, 6, 6, 6]);
  });

  it('holds a feeder and its substation: four 22 kW chargers each on A (30 kW) and B (90 kW) under 100 kW get 7.5 and 17.5', () => {
    const { deviceKw, boundBy, bindingSide } = solve({
      parents: [-1, 0, 0],
      devices: [...four(1), ...four(2)].map((node) => ({ ...keeps({ most: 22 }), node })),
      witnessKw: [],
      high: [100, 30, 90],
      low: [-Infinity, -Infinity, -Infinity],
    });
    expect(rounded(deviceKw)).toEqual([...four(7.5), ...four(17.5)]);
    expect([...boundBy]).toEqual([0, 1, 0]);
    expect([...bindingSide]).toEqual([1, 1, 0]);
  });

  it('gives everybody the minimum when the minimums sum to 30 under a limit of 20: 10 kW over, at that node', () => {
    const problem = oneNode(
      [keeps({ least: 10, most: 16 }), keeps({ least: 10, most: 16 }), keeps({ least: 10, most: 16 })],
      20,
    );
    const { deviceKw, boundBy } = solve(problem);
    expect([...deviceKw]).toEqual([10, 10, 10]);
    expect(sumsOf(problem, deviceKw)).toEqual([30]);
    expect([...boundBy]).toEqual([0]);
  });
});

describe('levels', () => {
  it('leaves everybody at level 0 when no limit is near', () => {
    const { deviceKw, nodeLevel, boundBy } = solve(oneNode(four(keeps({ most: 11 })), 44));
    expect([...deviceKw]).toEqual([11, 11, 11, 11]);
    expect([nodeLevel[0], boundBy[0]]).toEqual([0, -1]);
  });

  it('holds an import limit in a child and an export limit in its sibling at once', () => {
    const { deviceKw, bindingSide } = solve({
      parents: [-1, 0, 0],
      devices: [
        {
          node: 1,
          points: [
            [-1, 0],
            [0, 20],
          ],
        },
        {
          node: 2,
          points: [
            [0, -20],
            [1, 0],
          ],
        },
      ],
      witnessKw: [],
      high: [Infinity, 5, Infinity],
      low: [-Infinity, -Infinity, -8],
    });
    expect(rounded(deviceKw)).toEqual([5, -8]);
    expect([...bindingSide]).toEqual([0, 1, -1]);
  });

  it('lets a device count for import at what it measures, although its cap allows more export', () => {
    const problem = problemOf(
      oneNode(
        [
          {
            node: 0,
            points: [
              [-1, 0],
              [0, 50],
            ],
          },
        ],
        20,
      ),
    );
    problem.curves.device(0, -10).point(0, -40); // a PV with a cap of 40 kW that gives 10
    expect(rounded(solveLevels(problem).deviceKw)).toEqual([30, -40]);
  });

  it('keeps import rather than export where a node cannot keep both', () => {
    const problem = {
      ...oneNode(
        [
          {
            node: 0,
            points: [
              [-1, 0],
              [1, 50],
            ],
          },
        ],
        20,
      ),
      low: [30],
    } satisfies PlainProblem;
    expect(rounded(solve(problem).deviceKw)).toEqual([20]);
  });

  it('solves a tree without devices', () => {
    expect(
      solve({ ...oneNode([], -5), parents: [-1, 0, 1], high: [-5, 3, 3], low: [-9, -9, -9] }).deviceKw,
    ).toHaveLength(0);
  });
});

describe('on random trees', () => {
  it('puts no node over a limit when all limits can be held', () => {
    fc.assert(
      fc.property(feasibleProblem(40, 120), (problem) => {
        sumsOf(problem, solve(problem).deviceKw).forEach((sum, node) => {
          expect(sum).toBeLessThanOrEqual((problem.high[node] ?? 0) + NEAR);
          expect(sum).toBeGreaterThanOrEqual((problem.low[node] ?? 0) - NEAR);
        });
      }),
      { numRuns: 400 },
    );
  });

  it('agrees with an independent solution by bisection', () => {
    fc.assert(
      fc.property(feasibleProblem(8, 16), (problem) => {
        const expected = solvedByBisection(problem);
        solve(problem).deviceKw.forEach((kw, device) => {
          expect(Math.abs(kw - (expected[device] ?? NaN))).toBeLessThan(NEAR);
        });
      }),
      { numRuns: 150 },
    );
  });

  it('agrees with it where limits cannot be held and where devices count differently on the two sides', () => {
    const shifts = fc.array(fc.integer({ min: -30, max: 10 }), { minLength: 6, maxLength: 6 });
    const counts = fc.array(fc.option(fc.integer({ min: -20, max: 20 })), { minLength: 12, maxLength: 12 });
    fc.assert(
      fc.property(feasibleProblem(6, 12), shifts, counts, counts, (feasible, moved, froms, tos) => {
        const high = feasible.high.map((kw, node) => kw + (moved[node] ?? 0));
        const low = feasible.low.map((kw, node) => kw - (moved[node] ?? 0) / 2);
        const devices = feasible.devices.map((device, index) => ({
          ...device,
          countsFromKw: froms[index] ?? -Infinity,
          countsToKw: tos[index] ?? Infinity,
        }));
        const problem = { ...feasible, devices, high, low };
        const expected = solvedByBisection(problem);
        solve(problem).deviceKw.forEach((kw, device) => {
          expect(Math.abs(kw - (expected[device] ?? NaN))).toBeLessThan(NEAR);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('leaves no usable headroom: a device below its want has a limit above it that is reached', () => {
    fc.assert(
      fc.property(feasibleProblem(), (problem) => {
        const { deviceKw } = solve(problem);
        const sums = sumsOf(problem, deviceKw);
        problem.devices.forEach((device, index) => {
          const gap = (deviceKw[index] ?? NaN) - wantOf(device);
          if (gap < -NEAR)
            expect(ancestorsOf(problem, device.node).some((node) => isFull(problem, sums, node))).toBe(true);
          if (gap > NEAR)
            expect(ancestorsOf(problem, device.node).some((node) => isEmpty(problem, sums, node))).toBe(true);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('is fair: of two devices one stands lower only where a limit lies between them (KKT conditions)', () => {
    fc.assert(
      fc.property(feasibleProblem(8, 14), (problem) => {
        const { deviceKw, nodeLevel } = solve(problem);
        const sums = sumsOf(problem, deviceKw);
        const places = problem.devices.map(({ node }) => ({
          level: nodeLevel[node] ?? NaN,
          above: ancestorsOf(problem, node),
        }));
        for (const lower of places) {
          for (const higher of places.filter(({ level }) => level > lower.level + NEAR)) {
            const onlyLower = lower.above.filter((node) => !higher.above.includes(node));
            const onlyHigher = higher.above.filter((node) => !lower.above.includes(node));
            const isDivided =
              onlyLower.some((node) => isFull(problem, sums, node)) ||
              onlyHigher.some((node) => isEmpty(problem, sums, node));
            expect(isDivided).toBe(true);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('cuts nobody deeper than the deepest before when an import limit is raised', () => {
    fc.assert(
      fc.property(feasibleProblem(), fc.nat(), fc.integer({ min: 1, max: 20 }), (problem, at, moreKw) => {
        const raised = problem.high.map((kw, node) => (node === at % problem.high.length ? kw + moreKw : kw));
        const least = (levels: Float64Array) => Math.min(0, ...levels);
        expect(least(solve({ ...problem, high: raised }).nodeLevel)).toBeGreaterThanOrEqual(
          least(solve(problem).nodeLevel) - NEAR,
        );
      }),
      { numRuns: 200 },
    );
  });

  it('does not depend on the order of the devices', () => {
    fc.assert(
      fc.property(feasibleProblem(), (problem) => {
        const backwards = { ...problem, devices: problem.devices.toReversed() };
        const there = solve(problem).deviceKw;
        solve(backwards)
          .deviceKw.toReversed()
          .forEach((kw, device) => {
            expect(Math.abs(kw - (there[device] ?? NaN))).toBeLessThan(NEAR);
          });
      }),
      { numRuns: 200 },
    );
  });

  it('scales: ten times the powers and limits give ten times the setpoints', () => {
    fc.assert(
      fc.property(feasibleProblem(), (problem) => {
        const times10 = (kw: number) => kw * 10;
        const devices = problem.devices.map(({ node, points }) => ({
          node,
          points: points.map(([level, kw]) => [level, times10(kw)] as const),
        }));
        const large = solve({
          ...problem,
          devices,
          high: problem.high.map(times10),
          low: problem.low.map(times10),
        }).deviceKw;
        solve(problem).deviceKw.forEach((kw, device) => {
          expect(Math.abs(times10(kw) - (large[device] ?? NaN))).toBeLessThan(10 * NEAR);
        });
      }),
      { numRuns: 200 },
    );
  });

  it('names the true node when one limit cannot be held, and holds all others', () => {
    fc.assert(
      fc.property(feasibleProblem(), fc.nat(), fc.integer({ min: 1, max: 30 }), (feasible, at, overKw) => {
        const node = at % feasible.parents.length;
        const leastKw = sumsOf(
          feasible,
          feasible.devices.map(({ points }) => points[0]?.[1] ?? 0),
        );
        const high = feasible.high.map((kw, other) => (other === node ? (leastKw[node] ?? 0) - overKw : kw));
        const problem = { ...feasible, high, low: feasible.low.map(() => -Infinity) };
        sumsOf(problem, solve(problem).deviceKw).forEach((sum, other) => {
          const missing = sum - (high[other] ?? 0);
          if (other === node) expect(Math.abs(missing - overKw)).toBeLessThan(NEAR);
          else expect(missing).toBeLessThan(NEAR);
        });
      }),
      { numRuns: 200 },
    );
  });
});

it('solves a chain of 3,000 nodes with 30,000 devices without looking at each device at each node', () => {
  const length = 3000;
  const parents = Array.from({ length }, (_, node) => node - 1);
  const devices = Array.from({ length: 30_000 }, (_, index) => ({
    ...keeps({ most: 1 + (index % 11) }),
    node: length - 1 - (index % 7),
  }));
  const high = parents.map((_, node) => 50_000 + 10 * node);
  const problem = { parents, devices, witnessKw: [], high, low: parents.map(() => -Infinity) };
  const startedAt = performance.now();
  const { deviceKw } = solve(problem);
  expect(performance.now() - startedAt).toBeLessThan(2000);
  expect(deviceKw.reduce((sum, kw) => sum + kw, 0)).toBeCloseTo(50_000, 6);
});

/** A device that keeps clamp(weight x share, least, most), the share falling from 20 kW to 0 over one unit of the axis. */
function keeps({
  least = 0,
  most,
  weight = 1,
  stage = -1,
}: {
  least?: number;
  most: number;
  weight?: number;
  stage?: number;
}): PlainDevice {
  const levelOf = (kw: number) => stage + kw / weight / 20;
  return {
    node: 0,
    points: [
      [levelOf(least), least],
      [levelOf(most), most],
    ],
  };
}

const oneNode = (devices: readonly PlainDevice[], limitKw: number): PlainProblem => ({
  parents: [-1],
  devices,
  witnessKw: [],
  high: [limitKw],
  low: [-Infinity],
});

const solve = (problem: PlainProblem) => solveLevels(problemOf(problem));
const rounded = (values: Float64Array): number[] => Array.from(values, (kw) => Math.round(kw * 100) / 100);

function four<T>(value: T): T[] {
  return [value, value, value, value];
}

/** Power at level 0. */
function wantOf({ points }: PlainDevice): number {
  const right = points.findIndex(([level]) => level >= 0);
  if (right < 0) return points.at(-1)?.[1] ?? 0;
  const [toLevel, toKw] = points[right] ?? [0, 0];
  const [fromLevel, fromKw] = points[right - 1] ?? [toLevel, toKw];
  return toLevel === fromLevel ? toKw : fromKw + ((toKw - fromKw) * (0 - fromLevel)) / (toLevel - fromLevel);
}

const isFull = ({ high }: PlainProblem, sums: readonly number[], node: number): boolean =>
  (sums[node] ?? 0) > (high[node] ?? 0) - NEAR;
const isEmpty = ({ low }: PlainProblem, sums: readonly number[], node: number): boolean =>
  (sums[node] ?? 0) < (low[node] ?? 0) + NEAR;
