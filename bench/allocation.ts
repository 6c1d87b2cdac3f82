import loadHighs from 'highs';
import { solveLevels } from '../domain/allocation/level-solver';
import { planTree } from '../domain/plan-tree';
import { chargersOfWhichHalfWait, mixedFleet, type BothProblems } from './allocation-fleet';
import { programOf, type LimitRows, type ModelDevice, type Stretch, type StretchCost } from './highs-model';
import { percentile } from './percentile';
import type { Benchmark, BenchmarkRow } from './table';

const SIZES = [1_000, 10_000, 100_000] as const;
const ROUNDS = 15;
const WARM_UP_SECONDS = 0.5;
const QUADRATIC_DEVICES = 1_000;
const CHARGERS = 10_000;
/** HiGHS is given up after this, s; what it used until then counts, which is in its favour. */
const GIVE_UP_SECONDS = 120;
/** Objectives of the two differ by less, as a share. */
const SAME_WITHIN = 1e-6;

type Highs = Awaited<ReturnType<typeof loadHighs>>;

/**
 * The allocation of a whole tree, curves included, against HiGHS in the same process: a linear program over the same
 * constraints, and the quadratic program with the same optimum. Only its run counts for HiGHS, not the reading of the model. All
 * figures are CPU seconds of this process, so that other work on the machine counts for neither side.
 */
export const benchmarkAllocation: Benchmark = async (say) => {
  const highs = await loadHighs();
  const rows: BenchmarkRow[] = [];
  const ours: number[] = [];
  for (const devices of SIZES) {
    say(`${String(devices)} devices under four levels`);
    const problem = mixedFleet(devices);
    mustBeSame(problem, highsRun(highs, problem, byLevel, 'flows').objective);
    const seconds = medianCpuSeconds(() => solveLevels(problem.ours()));
    ours.push(seconds);
    const linear = (limits: LimitRows) => highsRun(highs, problem, byDevice, limits).seconds;
    rows.push(...sizeRows(devices, seconds, { sums: linear('sums'), flows: linear('flows') }));
    if (devices !== QUADRATIC_DEVICES) continue;
    const quadratic = highsRun(highs, problem, fairly, 'flows').seconds;
    rows.push(ratioRow(`${String(devices)} devices, quadratic program, CPU s`, seconds, quadratic, 100));
  }
  const growth = (ours[2] ?? NaN) / (ours[1] ?? NaN);
  rows.push(limitRow('growth from 10,000 to 100,000 devices', growth, 13, ' ×'));
  rows.push(limitRow('100000 devices, CPU s', ours[2] ?? NaN, 0.15, ' s'));
  say(`${String(CHARGERS)} chargers of which half must wait`);
  rows.push(limitRow('10,000 on/off EVs, half of them wait, whole plan, CPU s', onOffSeconds(), 0.5, ' s'));
  return rows;
};

/** What counts for the tiers: the same for all, so the optimum is that of the levels. */
const byLevel = ({ fromLevel }: Stretch): StretchCost => ({ linear: fromLevel, quadratic: 0 });
/** As a linear program has to tell devices of one tier apart. */
const byDevice = ({ fromLevel, kw }: Stretch): StretchCost => ({ linear: fromLevel + kw / 22, quadratic: 0 });
/** The fair shares themselves: the slope of the cost is the level. */
const fairly = ({ fromLevel, toLevel, kw }: Stretch): StretchCost => ({
  linear: fromLevel,
  quadratic: (toLevel - fromLevel) / kw,
});

const ROW = { benchmark: 'allocation', reference: null, target: null, met: null };

const sizeRows = (devices: number, seconds: number, linear: Readonly<Record<LimitRows, number>>): BenchmarkRow[] => [
  devices < 10_000
    ? { ...ROW, measure: `${String(devices)} devices, linear program, CPU s`, ours: seconds, reference: linear.sums }
    : ratioRow(`${String(devices)} devices, linear program, CPU s`, seconds, linear.sums, 10),
  {
    ...{ ...ROW, measure: `${String(devices)} devices, the same with a variable per flow, CPU s` },
    ...{ ours: seconds, reference: linear.flows },
  },
];

const ratioRow = (measure: string, ours: number, reference: number, times: number): BenchmarkRow => ({
  ...{ ...ROW, measure, ours, reference },
  target: `${String(times)} × faster`,
  met: reference >= times * ours,
});

const limitRow = (measure: string, ours: number, most: number, unit: string): BenchmarkRow => ({
  ...{ ...ROW, measure, ours, target: `≤ ${String(most)}${unit}` },
  met: ours <= most,
});

function onOffSeconds(): number {
  const fleet = chargersOfWhichHalfWait(CHARGERS);
  const waiting = planTree(fleet).devices.filter(({ targetKw }) => targetKw === 0).length;
  if (waiting !== CHARGERS / 2) throw new Error(`${String(waiting)} chargers wait`);
  return medianCpuSeconds(() => planTree(fleet));
}

function medianCpuSeconds(work: () => unknown): number {
  const until = performance.now() + WARM_UP_SECONDS * 1000;
  while (performance.now() < until) work();
  return percentile(
    Array.from({ length: ROUNDS }, () => cpuSeconds(work)),
    0.5,
  );
}

function cpuSeconds(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

function highsRun(
  highs: Highs,
  { model }: BothProblems,
  costOf: (stretch: Stretch) => StretchCost,
  rows: LimitRows,
): { seconds: number; objective: number } {
  const program = highs.createModel({ format: 'lp', data: programOf(model, costOf, rows) });
  program.options.set({ time_limit: GIVE_UP_SECONDS, output_flag: false });
  const seconds = cpuSeconds(() => program.run());
  const objective = Number(program.info.get('objective_function_value'));
  program.clear();
  program.releaseMemory();
  return { seconds, objective };
}

function mustBeSame({ model, ours }: BothProblems, reference: number): void {
  const { deviceKw } = solveLevels(ours());
  const cost = model.devices.reduce((sum, device, index) => sum + deviceCost(device, deviceKw[index] ?? NaN), 0);
  if (Math.abs(cost - reference) <= SAME_WITHIN * Math.max(1, Math.abs(reference))) return;
  throw new Error(`the optimum is ${String(reference)}, ours ${String(cost)}`);
}

function deviceCost({ wantKw, stretches }: ModelDevice, kw: number): number {
  const moved = kw - wantKw;
  const stretch = stretches.find(({ sign }) => sign === Math.sign(moved));
  return stretch === undefined ? 0 : byLevel(stretch).linear * Math.abs(moved);
}
