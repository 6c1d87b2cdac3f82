import { setTimeout as sleep } from 'node:timers/promises';
import { controlGaps, isCycleStored, newestCycles, stuckSetpoints, type NewestCycle } from '../../db/control-gaps';
import type { Database } from '../../db/pool';
import type { CanaryProbe } from '../canary';
import { DrillRefused, type Drill, type DrillTools, type Finding } from '../drill';
import type { WorkerActs, WorkerScenario } from './acts';

export interface WorkerCrashOptions {
  readonly scenario: WorkerScenario;
  readonly acts: WorkerActs;
  /** With the application's time limits; closed by the drill. */
  readonly database: Database;
}

/** What is promised holds for intervals from this on, s. */
const SHORTEST_PROMISED_SECONDS = 10;
const GAP_INTERVALS = 2;
const LEAST_WORKERS = 2;
const LOOK_EVERY_MS = 100;
const RECOVERY_MS = 120_000;

/**
 * A worker dies under a canary that watches every control loop: one write of it is acknowledged each time that all of
 * them have planned anew, so that its longest gap is the longest gap of control.
 */
export async function workerCrash({ scenario, acts, database }: WorkerCrashOptions): Promise<Drill> {
  const loops = await newestCycles(database);
  const intervalMs = 1000 * Math.max(SHORTEST_PROMISED_SECONDS, ...loops.map(({ intervalSeconds }) => intervalSeconds));
  const gapMs = GAP_INTERVALS * intervalMs;
  let brokenAtMs = 0;
  return {
    ...{ name: 'worker-crash', scenario },
    hypothesis:
      'When a worker is killed, another goes on with each of its loops within two intervals, and nobody is paged.',
    blastRadius: 'some trees are planned up to one interval late; devices keep their setpoints',
    budget: { gapMs, errors: 0, lost: 0, recoveryMs: RECOVERY_MS },
    gauge: { name: 'derms_control_loop_ok', expected: 'stays-up' },
    canary: roundsOfCycles(database, intervalMs),
    async act(tools) {
      const workers = await acts.workers();
      tools.figure('workers', workers);
      if (workers < LEAST_WORKERS)
        throw new DrillRefused([`there are ${String(workers)} workers of the control role: nobody would go on`]);
      brokenAtMs = (await newestCycles(database))[0]?.nowMs ?? 0;
      await acts.crash(tools);
      tools.step('a worker is killed');
    },
    async aftermath(tools) {
      await acts.bringBack(tools);
      tools.step('as many workers run as before');
      return [...(await gapsOfLoops(database, brokenAtMs, tools)), await setpointsOnTheirWay(database)];
    },
    recover: () => Promise.resolve(), // a worker that is gone is started again by what runs it
  };
}

function roundsOfCycles(database: Database, intervalMs: number): CanaryProbe {
  const rounds = new Map<number, readonly NewestCycle[]>();
  let sinceMs: number | null = null;
  return {
    async write(seq) {
      const deadline = performance.now() + (GAP_INTERVALS + 1) * intervalMs;
      for (;;) {
        const loops = await newestCycles(database);
        sinceMs ??= loops[0]?.nowMs ?? 0;
        const late = loops.filter(({ plannedAtMs }) => (plannedAtMs ?? 0) <= (sinceMs ?? 0));
        if (loops.length > 0 && late.length === 0) {
          rounds.set(seq, loops);
          sinceMs = Math.max(...loops.map(({ plannedAtMs }) => plannedAtMs ?? 0));
          return;
        }
        if (performance.now() > deadline) throw new Error(`${String(late.length)} loops have not planned in time`);
        await sleep(LOOK_EVERY_MS);
      }
    },
    read: null,
    async missing(acknowledged) {
      const gone: number[] = [];
      for (const seq of acknowledged) {
        const stored = await Promise.all((rounds.get(seq) ?? []).map((cycle) => isCycleStored(database, cycle)));
        if (stored.includes(false)) gone.push(seq);
      }
      return gone;
    },
    everyMs: LOOK_EVERY_MS,
    // Each stands for an interval: two of them are as much as is worth waiting for.
    enough: { writes: 2, withinMs: 2 * (GAP_INTERVALS + 1) * intervalMs },
    close: () => database.close(),
  };
}

async function gapsOfLoops(database: Database, sinceMs: number, tools: DrillTools): Promise<Finding[]> {
  const gaps = await controlGaps(database, sinceMs);
  const late = gaps.filter(
    ({ intervalSeconds, longestGapSeconds }) =>
      longestGapSeconds > GAP_INTERVALS * Math.max(SHORTEST_PROMISED_SECONDS, intervalSeconds),
  );
  const uncounted = gaps.filter(({ uncountedTicks }) => uncountedTicks > 0);
  tools.figure('loops', gaps.length);
  tools.figure('longestGapSeconds', Math.max(0, ...gaps.map(({ longestGapSeconds }) => longestGapSeconds)));
  tools.figure(
    'missedTicks',
    gaps.reduce((sum, { missedTicks }) => sum + missedTicks, 0),
  );
  return [
    {
      what: 'no loop has gone longer than two intervals without a stored cycle',
      holds: gaps.length > 0 && late.length === 0,
      detail: late.length === 0 ? `of ${String(gaps.length)} loops` : named(late),
    },
    {
      what: 'every tick that no cycle stands for is counted',
      holds: uncounted.length === 0,
      detail: uncounted.length === 0 ? 'none is lost' : named(uncounted),
    },
  ];
}

async function setpointsOnTheirWay(database: Database): Promise<Finding> {
  const stuck = await stuckSetpoints(database);
  return {
    what: 'every setpoint that was decided is acknowledged, or replaced by a newer one that is',
    holds: stuck.length === 0,
    detail: stuck.length === 0 ? 'none waits for longer than two intervals' : stuck.slice(0, 10).join(', '),
  };
}

const named = (loops: readonly { readonly rootFeederId: string; readonly longestGapSeconds: number }[]): string =>
  loops
    .slice(0, 10)
    .map(({ rootFeederId, longestGapSeconds }) => `${rootFeederId} ${longestGapSeconds.toFixed(1)} s`)
    .join(', ');
