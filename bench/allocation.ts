import { solveLevels } from '../domain/allocation/level-solver';
import { planTree } from '../domain/plan-tree';
import { chargersOfWhichHalfWait, mixedFleet, type BothProblems } from './allocation-fleet';
import { cpuSecondsOf } from './cpu';
import { openHighs, type ReferenceSolver, type SolverOptions } from './highs-solver';
import { programOf, type ModelDevice, type Stretch, type StretchCost } from './highs-model';
import { percentile } from './percentile';
import type { Benchmark, BenchmarkRow } from './table';

const SIZES = [1_000, 10_000, 100_000] as const;
/** Rounds in each of which all sizes take their turn, so that a busy moment hits all of them alike. */
const ROUNDS = 5;
/** Ours is run as often per round, and their median counts; HiGHS once. */
const RUNS_PER_ROUND = 5;
/** CPU seconds. */
const WARM_UP_SECONDS = 0.5;
const QUADRATIC_DEVICES = 1_000;
const CHARGERS = 10_000;
/** Objectives of the two differ by less, as a share. */
const SAME_WITHIN = 1e-6;

/**
 * The allocation of a whole tree, curves included, against HiGHS in the same process: a linear program over the same
 * constraints, and the quadratic program with the same optimum. Only its run counts for HiGHS, not the reading of the
 * model. All figures are CPU seconds of this process, of its best round: other work on the machine counts for neither side,
 * and what it does to the caches only ever adds. HiGHS comes after us in each run: the memory that it holds makes the
 * garbage collector run 25 times as often.
 */
export const benchmarkAllocation: Benchmark = async (say) => {
  const sizes = SIZES.map((devices) => new Measured(devices));
  say(`${SIZES.join(', ')} devices under four levels, ${String(ROUNDS)} rounds`);
  for (let round = 1; round <= ROUNDS; round += 1) for (const size of sizes) size.run();
  const highs = await openHighs();
  for (let round = 1; round <= ROUNDS; round += 1) {
    say(`HiGHS: round ${String(round)} of ${String(ROUNDS)}`);
    for (const size of sizes) size.runReference(highs);
  }
  say(`${String(CHARGERS)} chargers of which half must wait`);
  const [, tenThousand = NaN, hundredThousand = NaN] = sizes.map(({ ours }) => Math.min(...ours));
  return [
    ...sizes.flatMap((size) => size.rows()),
    limitRow('growth from 10,000 to 100,000 devices', hundredThousand / tenThousand, 13, ' ×'),
    limitRow('100,000 devices, CPU s', hundredThousand, 0.15, ' s'),
    limitRow('10,000 on/off EVs, half of them wait, whole plan, CPU s', onOffSeconds(), 0.5, ' s'),
  ];
};

/** A price per device, as a linear program needs it to tell devices of one tier apart. */
const byDevice = ({ fromLevel, kw }: Stretch): StretchCost => ({ linear: fromLevel + kw / 22, quadratic: 0 });
/** A price per tier: any of many optima. */
const byTier = ({ fromLevel }: Stretch): StretchCost => ({ linear: fromLevel, quadratic: 0 });
/** The fair shares themselves: the slope of the cost is the level. */
const fairly = ({ fromLevel, toLevel, kw }: Stretch): StretchCost => ({
  linear: fromLevel,
  quadratic: (toLevel - fromLevel) / kw,
});

interface Program {
  readonly name: string;
  readonly costOf: (stretch: Stretch) => StretchCost;
  readonly options?: SolverOptions;
  /** How many times as fast we have to be, from which size on. */
  readonly times?: number;
  readonly fromDevices?: number;
  readonly isFor?: number;
}

const PROGRAMS: readonly Program[] = [
  { name: 'linear program', costOf: byDevice, times: 10, fromDevices: 10_000 },
  { name: 'linear program, a price per tier only', costOf: byTier },
  // No presolve and plain dual simplex: with every cost above 0 and a row per node there is little left to do.
  { name: 'linear program, HiGHS tuned to it', costOf: byDevice, options: { solver: 'simplex', presolve: 'off' } },
  { name: 'quadratic program', costOf: fairly, times: 100, isFor: QUADRATIC_DEVICES },
];

class Measured {
  readonly ours: number[] = [];
  private readonly problem: BothProblems;
  private readonly programs: readonly (Program & { readonly text: string; readonly seconds: number[] })[];

  constructor(private readonly devices: number) {
    this.problem = mixedFleet(devices);
    const { model } = this.problem;
    this.programs = PROGRAMS.filter(({ isFor = devices }) => isFor === devices).map((program) => ({
      ...program,
      ...{ text: programOf(model, program.costOf), seconds: [] },
    }));
  }

  /** Warm each time: what a collection in between threw away of the compiled code is not what is measured. */
  run(): void {
    warmUp(() => this.solve());
    this.ours.push(median(Array.from({ length: RUNS_PER_ROUND }, () => cpuSecondsOf(() => this.solve()))));
  }

  runReference(highs: ReferenceSolver): void {
    for (const { text, options, costOf, seconds } of this.programs) {
      const { cpuSeconds, objective } = highs.solve(text, options);
      if (costOf === byTier) mustBeSame(this.problem, objective);
      seconds.push(cpuSeconds);
    }
  }

  rows(): BenchmarkRow[] {
    const ours = Math.min(...this.ours);
    return this.programs.map(({ name, seconds, times, fromDevices = 0 }) => {
      const row = { ...ROW, measure: `${this.devices.toLocaleString('en')} devices, ${name}, CPU s`, ours };
      const reference = Math.min(...seconds);
      if (times === undefined || this.devices < fromDevices) return { ...row, reference };
      return { ...row, reference, target: `${String(times)} × faster`, met: reference >= times * ours };
    });
  }

  private solve(): unknown {
    return solveLevels(this.problem.ours());
  }
}

const ROW = { benchmark: 'allocation', reference: null, target: null, met: null };

const limitRow = (measure: string, ours: number, most: number, unit: string): BenchmarkRow => ({
  ...{ ...ROW, measure, ours, target: `≤ ${String(most)}${unit}` },
  met: ours <= most,
});

function onOffSeconds(): number {
  const fleet = chargersOfWhichHalfWait(CHARGERS);
  const waiting = planTree(fleet).devices.filter(({ targetKw }) => targetKw === 0).length;
  if (waiting !== CHARGERS / 2) throw new Error(`${String(waiting)} chargers wait`);
  warmUp(() => planTree(fleet));
  return median(Array.from({ length: ROUNDS * RUNS_PER_ROUND }, () => cpuSecondsOf(() => planTree(fleet))));
}

function warmUp(work: () => unknown): void {
  for (let used = 0; used < WARM_UP_SECONDS;) used += cpuSecondsOf(work);
}

const median = (values: readonly number[]): number => percentile(values, 0.5);

function mustBeSame({ model, ours }: BothProblems, reference: number): void {
  const { deviceKw } = solveLevels(ours());
  const cost = model.devices.reduce((sum, device, index) => sum + deviceCost(device, deviceKw[index] ?? NaN), 0);
  if (Math.abs(cost - reference) <= SAME_WITHIN * Math.max(1, Math.abs(reference))) return;
  throw new Error(`the optimum is ${String(reference)}, ours ${String(cost)}`);
}

function deviceCost({ wantKw, stretches }: ModelDevice, kw: number): number {
  const moved = kw - wantKw;
  const stretch = stretches.find(({ sign }) => sign === Math.sign(moved));
  return stretch === undefined ? 0 : byTier(stretch).linear * Math.abs(moved);
}
