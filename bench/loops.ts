import { cpuSecondsOfTree } from './cpu';
import { percentile } from './percentile';
import type { Database } from '../db/pool';
import { until, withSystem } from './system';
import type { Benchmark, BenchmarkRow } from './table';

const TREES = 300;
const DEVICES_PER_TREE = 10;
const INTERVAL_SECONDS = 10;
const MEASURED_SECONDS = 180;
const WARM_UP_SECONDS = 45;
const MAX_LATE_SECONDS = 1;

/** For 300 feeders that nobody has registered. */
export const LOOPS_ENVIRONMENT = { MAX_AUTO_FEEDERS: '1000', DB_POOL_SIZE: '10' } as const;

/** What is measured: a system whose workers run or are started now. */
export interface LoopsStage {
  readonly db: Database;
  readonly startWorkers: () => Promise<void>;
  readonly startFleet: (args: readonly string[]) => Promise<void>;
  /** CPU seconds so far: of our workers with all their roles, and of the Temporal server. */
  readonly cpu: () => { readonly worker: number; readonly temporal: number };
}

interface Measured {
  readonly cycles: number;
  readonly publishing: number;
  readonly skipped: number;
  readonly lateSeconds: readonly number[];
  readonly workerCpuSeconds: number;
  readonly temporalCpuSeconds: number;
}

/** Many small trees: 300 loops of 10 devices each, telemetry each 10 s, interval 10 s, the whole system on these cores. */
export const benchmarkLoops: Benchmark = (say) =>
  withSystem({ env: LOOPS_ENVIRONMENT }, ({ system, db }) =>
    measureLoops(
      'loops',
      {
        db,
        startWorkers: async () => {
          await system.start('worker');
        },
        startFleet: async (args) => {
          await system.start('simulator', args);
        },
        cpu: () => ({
          worker: cpuSecondsOfTree(system.running('worker').pid),
          temporal: cpuSecondsOfTree(system.stack.temporal.pid),
        }),
      },
      say,
    ),
  );

export async function measureLoops(
  benchmark: string,
  stage: LoopsStage,
  say: (line: string) => void,
): Promise<BenchmarkRow[]> {
  const measured = await measure(stage, say);
  const { cycles, publishing, skipped, lateSeconds } = measured;
  const late99 = percentile(lateSeconds, 0.99);
  const plain = { benchmark, reference: null, target: null, met: null };
  return [
    { ...plain, measure: 'cycles skipped', ours: skipped, target: 'none', met: skipped === 0 },
    {
      ...plain,
      measure: 'late, p99, s',
      ours: late99,
      target: `≤ ${String(MAX_LATE_SECONDS)} s`,
      met: late99 <= MAX_LATE_SECONDS,
    },
    { ...plain, measure: 'late, median, s', ours: percentile(lateSeconds, 0.5) },
    {
      ...plain,
      measure: `cycles in ${String(MEASURED_SECONDS)} s`,
      ours: cycles,
      reference: (TREES * MEASURED_SECONDS) / INTERVAL_SECONDS,
    },
    { ...plain, measure: 'share of cycles that publish, %', ours: (publishing / cycles) * 100 },
    { ...plain, measure: 'worker CPU per cycle, ms', ours: (measured.workerCpuSeconds / cycles) * 1000 },
    { ...plain, measure: 'Temporal server CPU per cycle, ms', ours: (measured.temporalCpuSeconds / cycles) * 1000 },
  ];
}

async function measure(
  { db, startWorkers, startFleet, cpu }: LoopsStage,
  say: (line: string) => void,
): Promise<Measured> {
  await startWorkers();
  await startFleet([
    ...['--devices', String(TREES * DEVICES_PER_TREE), '--feeders', String(TREES)],
    ...['--interval', String(INTERVAL_SECONDS), '--seed', '7'],
  ]);
  await until(
    async () => {
      const { rows } = await db.query<{ running: string }>('select count(*) as running from control_loops');
      return Number(rows[0]?.running) >= TREES ? true : null;
    },
    150_000,
    `${String(TREES)} loops`,
  );
  say(`${String(TREES)} loops run; warming up ${String(WARM_UP_SECONDS)} s`);
  await new Promise((resolve) => setTimeout(resolve, WARM_UP_SECONDS * 1000));
  const { rows: begin } = await db.query<{ now: Date; missed: string }>(
    'select now(), sum(missed_ticks) as missed from control_loops',
  );
  const before = cpu();
  say(`measuring ${String(MEASURED_SECONDS)} s`);
  await new Promise((resolve) => setTimeout(resolve, MEASURED_SECONDS * 1000));
  const after = cpu();
  const { rows } = await db.query<{ late: number; publishing: boolean; missed_ticks: number }>(
    `select greatest(0, extract(epoch from planned_at - tick_at))::float8 as late, changes + renewals > 0 as publishing, missed_ticks
       from control_cycles where planned_at >= $1 and planned_at < $1::timestamptz + make_interval(secs => $2)`,
    [begin[0]?.now, MEASURED_SECONDS],
  );
  return {
    cycles: rows.length,
    publishing: rows.filter(({ publishing }) => publishing).length,
    skipped: rows.reduce((sum, { missed_ticks }) => sum + missed_ticks, 0),
    lateSeconds: rows.map(({ late }) => late),
    workerCpuSeconds: after.worker - before.worker,
    temporalCpuSeconds: after.temporal - before.temporal,
  };
}
