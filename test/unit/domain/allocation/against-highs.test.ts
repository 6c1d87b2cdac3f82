/**
 * The level solver against one that knows nothing of levels: HiGHS, by simplex and by quadratic programming.
 *
 * A tier is what lies beyond a level. The claim is that one solution is the best for every tier at once, so each tier is
 * a linear program of its own, and for the quadratic cost whose slope is the level, too.
 */
import fc from 'fast-check';
import loadHighs from 'highs';
import { programOf, type Stretch, type TreeModel } from '../../../../bench/highs-model';
import { solveLevels } from '../../../../domain/allocation/level-solver';
import { feasibleProblem, problemOf, type PlainDevice, type PlainProblem } from './random-problems';

const TREES = 1_000;
const QUADRATIC_TREES = 300;
/** A tree in a thousand is too degenerate for the quadratic solver: 10 of 8,000. That 10 of 300 are is less likely than 1e-8. */
const LEAST_QUADRATIC = 291;
/** It needs a few dozen steps, or goes in circles for ever. Counted and not timed, so that a busy machine changes nothing. */
const MOST_QUADRATIC_STEPS = 1_000;
/** Well below it on a machine with nothing else to do. */
const WITHIN_MS = 90_000;
const TIERS = [0, 0.5, 1.5];
const WITHIN = 1e-6;
/** What rounding leaves of a stretch of no length. */
const CRUMB_KW = 1e-9;
/** What HiGHS says when its solver ends with an error; it says something else of a program that it cannot read. */
const GAVE_UP = 'Unable to solve the problem';

const OPTIONS = {
  primal_feasibility_tolerance: 1e-9,
  dual_feasibility_tolerance: 1e-9,
  presolve: 'off' as const, // for so few numbers it costs more than it saves
  qp_iteration_limit: MOST_QUADRATIC_STEPS,
};

type Highs = Awaited<ReturnType<typeof loadHighs>>;
let highs: Highs;
beforeAll(async () => {
  highs = await loadHighs();
});

it(
  `moves no more power beyond any tier than HiGHS needs, on ${String(TREES)} trees with limits on both sides`,
  () => {
    let solved = 0;
    fc.assert(
      fc.property(feasibleProblem(12, 60), (problem) => {
        const model = modelOf(problem);
        const moved = movedKw(problem, model);
        for (const tier of TIERS) {
          const best = optimum(model, ({ fromLevel }) => ({ linear: fromLevel >= tier ? 1 : 0, quadratic: 0 }));
          if (best === null) return;
          expectSame(
            costOf(moved, ({ fromLevel }, kw) => (fromLevel >= tier ? kw : 0)),
            best,
          );
        }
        solved += 1;
      }),
      { numRuns: TREES },
    );
    expect(solved).toBe(TREES);
  },
  WITHIN_MS,
);

it(
  'costs no more than the quadratic program does, on trees with limits on both sides',
  () => {
    let solved = 0;
    fc.assert(
      fc.property(feasibleProblem(8, 25), (problem) => {
        const model = modelOf(problem);
        const slope = ({ fromLevel, toLevel, kw }: Stretch) => (toLevel - fromLevel) / kw;
        const best = optimum(model, (stretch) => ({ linear: stretch.fromLevel, quadratic: slope(stretch) }));
        if (best === null) return;
        solved += 1;
        const ours = costOf(
          movedKw(problem, model),
          (stretch, kw) => (stretch.fromLevel + (slope(stretch) * kw) / 2) * kw,
        );
        expectSame(ours, best);
      }),
      { numRuns: QUADRATIC_TREES },
    );
    expect(solved).toBeGreaterThanOrEqual(LEAST_QUADRATIC);
  },
  WITHIN_MS,
);

function expectSame(ours: number, best: number): void {
  expect(Math.abs(ours - best)).toBeLessThanOrEqual(WITHIN * Math.max(1, Math.abs(best)));
}

/** null when HiGHS gives up: its quadratic solver goes in circles, or stops with an error, on some degenerate trees. */
function optimum(model: TreeModel, cost: Parameters<typeof programOf>[1]): number | null {
  const text = programOf(model, cost);
  const solution = solutionOf(text);
  if (solution?.Status === 'Infeasible') throw new Error(`HiGHS finds no solution\n${text}`);
  return solution?.Status === 'Optimal' ? solution.ObjectiveValue : null;
}

function solutionOf(text: string): ReturnType<Highs['solve']> | null {
  try {
    return highs.solve(text, OPTIONS);
  } catch (error) {
    if (error instanceof Error && error.message.startsWith(GAVE_UP)) return null;
    throw error;
  }
}

/** Every tier begins a stretch, so that each lies wholly beyond it or wholly before. */
const modelOf = ({ parents, devices, high, low }: PlainProblem): TreeModel => ({
  ...{ parents, high, low },
  devices: devices.map((device) => ({
    node: device.node,
    wantKw: powerAt(device, 0),
    stretches: [...stretchesOf(device, 1), ...stretchesOf(device, -1)],
  })),
});

function stretchesOf(device: PlainDevice, sign: 1 | -1): Stretch[] {
  const levels = [...device.points.map(([level]) => sign * level), ...TIERS]
    .filter((level) => level >= 0)
    .sort((a, b) => a - b);
  return levels.flatMap((toLevel, index) => {
    const fromLevel = levels[index - 1] ?? 0;
    const kw = sign * (powerAt(device, sign * toLevel) - powerAt(device, sign * fromLevel));
    return kw > CRUMB_KW ? [{ sign, fromLevel, toLevel, kw }] : [];
  });
}

/** How far our solution moves each device through each of its stretches: the nearest to level 0 first. */
function movedKw(problem: PlainProblem, { devices }: TreeModel): (readonly [Stretch, number])[] {
  const { deviceKw } = solveLevels(problemOf(problem));
  return devices.flatMap(({ wantKw, stretches }, index) => {
    const byKw = (deviceKw[index] ?? NaN) - wantKw;
    let left = Math.abs(byKw);
    return stretches
      .filter(({ sign }) => sign === Math.sign(byKw))
      .map((stretch) => {
        const kw = Math.min(left, stretch.kw);
        left -= kw;
        return [stretch, kw] as const;
      });
  });
}

const costOf = (
  moved: readonly (readonly [Stretch, number])[],
  cost: (stretch: Stretch, kw: number) => number,
): number => moved.reduce((sum, [stretch, kw]) => sum + cost(stretch, kw), 0);

function powerAt({ points }: PlainDevice, level: number): number {
  const right = points.findIndex(([at]) => at >= level);
  if (right < 0) return points.at(-1)?.[1] ?? 0;
  const [toLevel, toKw] = points[right] ?? [0, 0];
  const [fromLevel, fromKw] = points[right - 1] ?? [toLevel, toKw];
  return toLevel === fromLevel ? toKw : fromKw + ((toKw - fromKw) * (level - fromLevel)) / (toLevel - fromLevel);
}
