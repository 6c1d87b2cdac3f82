import type { LoopRecord, ProcessRecords, ProcessSample } from '../records';
import { finding, type Finding } from './finding';

/** What a process may have more of after it than before: caches fill, pools open what they are allowed, MB and handles. */
const MORE_MEMORY_SHARE = 0.6;
const MORE_MEMORY_MB = 60;
const MORE_HANDLES_SHARE = 0.5;
const MORE_HANDLES = 25;
/** Pools open more of what they are allowed when answers are slow. */
const MORE_SESSIONS = 30;
/** As `derms_control_loop_ok` has it: three intervals, or this, ms. */
const STANDS_STILL_MS = 30_000;

/** Nothing is left behind, and nobody has grown. */
export function checkProcesses(records: ProcessRecords): Finding[] {
  const { before, after, leftOver, countBefore, countAfter, sessionsBefore, sessionsAfter } = records;
  const calm = least(before);
  const now = least(after);
  const looked = { looked: now.size, at: 'kinds of process' };
  const grown = (of: 'residentMb' | 'fileHandles', allowed: (was: number) => number): string[] =>
    [...now].flatMap(([name, sample]) => {
      const was = calm.get(name)?.[of];
      return was !== undefined && sample[of] > allowed(was)
        ? [`${name}: ${sample[of].toFixed(0)} after ${was.toFixed(0)}`]
        : [];
    });
  const missing = [...calm.keys()].filter((name) => !now.has(name));
  return [
    finding(
      'every process is back, none is left over',
      [...leftOver, ...countFault(countBefore, countAfter), ...missing],
      {
        looked: countBefore,
        at: 'processes before',
      },
    ),
    finding(
      'file handles are flat',
      grown('fileHandles', (was) => was * (1 + MORE_HANDLES_SHARE) + MORE_HANDLES),
      looked,
    ),
    finding(
      'memory is flat',
      grown('residentMb', (was) => was * (1 + MORE_MEMORY_SHARE) + MORE_MEMORY_MB),
      looked,
    ),
    finding(
      'sessions at Postgres are flat',
      sessionsAfter > sessionsBefore + MORE_SESSIONS
        ? [`${String(sessionsAfter)} after ${String(sessionsBefore)}`]
        : [],
      { looked: sessionsBefore, at: 'sessions before' },
    ),
  ];
}

/** Every loop plans again, and no tick went by unseen. */
export function checkLoops(loops: readonly LoopRecord[], endedAtMs: number): Finding[] {
  const sum = (of: 'servedTicks' | 'missedTicks'): number => loops.reduce((total, loop) => total + loop[of], 0);
  const uncounted = loops.filter(({ uncountedTicks }) => uncountedTicks > 0);
  const still = loops.filter(
    ({ newestCycleAtMs, intervalSeconds }) =>
      endedAtMs - newestCycleAtMs > Math.max(3 * intervalSeconds * 1_000, STANDS_STILL_MS),
  );
  return [
    finding(
      'every loop goes on',
      still.map(({ rootFeederId }) => rootFeederId),
      { looked: loops.length, at: 'loops' },
    ),
    finding(
      'every tick that was missed is counted',
      uncounted.map(({ rootFeederId, uncountedTicks }) => `${rootFeederId}: ${String(uncountedTicks)} not`),
      { looked: sum('servedTicks'), at: `served, ${String(sum('missedTicks'))} missed` },
    ),
  ];
}

/** One that is too few would have been seen not to be ready. */
const countFault = (before: number, after: number): string[] =>
  after === before ? [] : [`${String(after)} processes after ${String(before)}`];

/** Of several looks the least: garbage that was not collected yet is no growth. */
function least(samples: readonly ProcessSample[]): ReadonlyMap<string, ProcessSample> {
  const found = new Map<string, ProcessSample>();
  for (const sample of samples) {
    const before = found.get(sample.name);
    found.set(sample.name, {
      name: sample.name,
      residentMb: Math.min(before?.residentMb ?? Infinity, sample.residentMb),
      fileHandles: Math.min(before?.fileHandles ?? Infinity, sample.fileHandles),
    });
  }
  return found;
}
