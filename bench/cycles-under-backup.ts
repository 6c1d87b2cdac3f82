import type { Database } from '../db/pool';
import { operatorOf, withDemo, type Ask } from './demo';
import { growPast } from './history';
import { percentile } from './percentile';
import { until } from './system';
import type { Benchmark, BenchmarkRow } from './table';

/** Of the database that is dumped and restored; `DERMS_BENCH_BACKUP_MB` for a try in less time. */
const DATABASE_MB = Number(process.env['DERMS_BENCH_BACKUP_MB'] ?? 1_000);
/** Stretches without and with, in turns. */
const ROUNDS = Number(process.env['DERMS_BENCH_BACKUP_ROUNDS'] ?? 2);
/** Two loops with a cycle each 5 s. */
const LEAST_CYCLES = 50;
const MAX_LATE_SECONDS = 1;
const RUN_OVER_WITHIN_MS = 900_000;

/**
 * How late control cycles are in the system of `npm start` while the database is backed up and the backup is restored in a
 * drill, one after the other and again until there are enough cycles to judge by; and how late they are without.
 */
export const benchmarkCyclesUnderBackup: Benchmark = (say) =>
  withDemo(async (bench) => {
    await growPast(bench, DATABASE_MB, say);
    const ask = await operatorOf(bench);
    const alone: Cycle[] = [];
    const under: Cycle[] = [];
    const seconds = { 'db-backup': [] as number[], 'restore-drill': [] as number[] };
    const backUp = async (): Promise<void> => {
      for (const job of ['db-backup', 'restore-drill'] as const) seconds[job].push(await run(ask, job));
    };
    for (let round = 1; round <= ROUNDS; round += 1) {
      alone.push(...(await cyclesDuring(bench.db, () => new Promise((resolve) => setTimeout(resolve, 10_000)))));
      under.push(...(await cyclesDuring(bench.db, backUp)));
      say(`round ${String(round)}: alone ${told(alone)}; under backup and drill ${told(under)}`);
    }
    say(`backup ${secondsOf(seconds['db-backup'])} s, drill ${secondsOf(seconds['restore-drill'])} s`);
    return rowsOf(alone, under);
  });

interface Cycle {
  readonly lateSeconds: number;
  readonly skipped: number;
}

/** Repeats `work` until enough cycles were planned meanwhile; answers those. */
async function cyclesDuring(db: Database, work: () => Promise<void>): Promise<Cycle[]> {
  const { rows } = await db.query<{ now: Date }>('select now()');
  for (;;) {
    await work();
    const cycles = await cyclesSince(db, rows[0]?.now ?? new Date());
    if (cycles.length >= LEAST_CYCLES) return cycles;
  }
}

async function cyclesSince(db: Database, from: Date): Promise<Cycle[]> {
  const { rows } = await db.query<Cycle & Record<string, unknown>>(
    `select greatest(0, extract(epoch from planned_at - tick_at))::float8 as "lateSeconds", missed_ticks as skipped
       from control_cycles where planned_at >= $1 and tick_at >= $1`,
    [from],
  );
  return rows;
}

/** Seconds from the request to the end of a run, which has to succeed. */
async function run(ask: Ask, job: string): Promise<number> {
  const began = performance.now();
  const { runId } = await ask('POST', `/api/jobs/${job}/runs`, {});
  let looked = 0;
  const ended = await until(
    async () => {
      if (performance.now() - looked < 500) return null; // looking costs as well
      looked = performance.now();
      const found = await ask('GET', `/api/runs/${String(runId)}`);
      return found['finishedAt'] === null ? null : found;
    },
    RUN_OVER_WITHIN_MS,
    `the end of ${job}`,
  );
  if (ended['state'] !== 'succeeded')
    throw new Error(`${job} ${String(ended['state'])}: ${JSON.stringify(ended['failure'])}`);
  return (performance.now() - began) / 1000;
}

function rowsOf(alone: readonly Cycle[], under: readonly Cycle[]): BenchmarkRow[] {
  const benchmark = 'cycles-under-backup';
  const late = (cycles: readonly Cycle[], share: number): number =>
    percentile(
      cycles.map(({ lateSeconds }) => lateSeconds),
      share,
    );
  const skipped = (cycles: readonly Cycle[]): number => cycles.reduce((sum, cycle) => sum + cycle.skipped, 0);
  const p99 = late(under, 0.99);
  return [
    {
      ...{ benchmark, measure: 'late, p99, s (reference: without)', ours: p99, reference: late(alone, 0.99) },
      ...{ target: `≤ ${String(MAX_LATE_SECONDS)} s`, met: p99 <= MAX_LATE_SECONDS },
    },
    {
      ...{ benchmark, measure: 'late, median, s (reference: without)', ours: late(under, 0.5) },
      ...{ reference: late(alone, 0.5), target: null, met: null },
    },
    {
      ...{ benchmark, measure: 'cycles skipped', ours: skipped(under), reference: null },
      ...{ target: 'none', met: skipped(under) === 0 },
    },
    { ...{ benchmark, measure: 'cycles', ours: under.length, reference: alone.length }, target: null, met: null },
  ];
}

const told = (cycles: readonly Cycle[]): string => {
  const late = cycles.map(({ lateSeconds }) => lateSeconds);
  return `${String(cycles.length)} cycles, late ${percentile(late, 0.5).toFixed(3)} s median, ${percentile(late, 0.99).toFixed(3)} s p99`;
};

const secondsOf = (runs: readonly number[]): string => runs.map((each) => each.toFixed(0)).join(', ');
