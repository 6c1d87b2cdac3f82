import { GROWING_TABLES, MEASURES, STATE_TABLES, type Sample } from './sample';
import { trendOf, type Allowance, type Trend } from './trend';

export interface TimedSample {
  readonly atMs: number;
  readonly sample: Sample;
}

/** Loops begin anew from here on; a cycle or two may still come, events. */
export const HISTORY_EVENTS = 1_000;
const HISTORY_SLACK_EVENTS = 200;
const MOST_EVENT_LOOP_MS = 1_000;
/**
 * Temporal's development server takes handles for half an hour and then no more (measured: 42 at its start, 381 after 30 min,
 * 368 after 60). In a run that ends before, there is only that rise to be seen.
 */
const TEMPORAL_SETTLES_MS = 30 * 60_000;
const TEMPORAL_HANDLES = `${MEASURES.handles}: temporal`;

/**
 * What may grow, and how: per hour as a share of where it stood, or by so much in all. Heaps have ups and downs of some MB
 * between two collections; servers fill caches.
 */
const ALLOWANCES: readonly { readonly begins: string; readonly allowance: Allowance }[] = [
  { begins: MEASURES.heap, allowance: { kind: 'flat', growsByShare: 0.05, slack: 15 } },
  { begins: `${MEASURES.resident}: postgres`, allowance: { kind: 'flat', growsByShare: 0.1, slack: 30 } },
  { begins: `${MEASURES.resident}: temporal`, allowance: { kind: 'flat', growsByShare: 0.15, slack: 60 } },
  { begins: MEASURES.resident, allowance: { kind: 'flat', growsByShare: 0.05, slack: 30 } },
  { begins: TEMPORAL_HANDLES, allowance: { kind: 'flat', growsByShare: 0.05, slack: 50 } },
  { begins: MEASURES.handles, allowance: { kind: 'flat', growsByShare: 0.02, slack: 5 } },
  { begins: MEASURES.sessions, allowance: { kind: 'flat', growsByShare: 0.02, slack: 5 } },
  { begins: MEASURES.eventLoop, allowance: { kind: 'bounded', most: MOST_EVENT_LOOP_MS } },
  { begins: MEASURES.history, allowance: { kind: 'bounded', most: HISTORY_EVENTS + HISTORY_SLACK_EVENTS } },
  ...STATE_TABLES.map((table) => ({
    begins: `${MEASURES.table}: ${table}`,
    allowance: { kind: 'flat', growsByShare: 0.05, slack: 2 } as const,
  })),
  ...GROWING_TABLES.map((table) => ({
    begins: `${MEASURES.table}: ${table}`,
    allowance: { kind: 'steady', fasterByShare: 0.2, slack: 2 } as const,
  })),
];

/** Judges everything that was sampled after the warm-up, by its slope. */
export function judge(samples: readonly TimedSample[], warmUpMs: number): Trend[] {
  const lastMs = samples.at(-1)?.atMs ?? 0;
  const warmFrom = (name: string): number =>
    name === TEMPORAL_HANDLES && lastMs > TEMPORAL_SETTLES_MS ? TEMPORAL_SETTLES_MS : warmUpMs;
  const names = new Set(samples.flatMap(({ sample }) => [...sample.keys()]));
  return [...names].map((name) => {
    const fromMs = warmFrom(name);
    const points = samples.flatMap(({ atMs, sample }) => {
      const value = atMs < fromMs ? undefined : sample.get(name);
      return value === undefined ? [] : [{ atMs, value }];
    });
    return trendOf({ name, points, allowance: allowanceOf(name) });
  });
}

function allowanceOf(name: string): Allowance {
  const found = ALLOWANCES.find(({ begins }) => name.startsWith(begins));
  if (found === undefined) throw new Error(`nobody said what ${name} may do`);
  return found.allowance;
}

/** For docs/benchmarks.md. */
export function tableOf(trends: readonly Trend[]): string {
  const rows = trends.map(({ name, atFirst, atLast, most, perHour, allowed, holds }) =>
    [name, told(atFirst), told(atLast), told(most), told(perHour), allowed, holds ? 'yes' : '**no**'].join(' | '),
  );
  const head = 'What | After the warm-up | At the end | Most | Slope per hour | Allowed | Holds';
  return [head, '- | - | - | - | - | - | -', ...rows].map((row) => `| ${row} |`).join('\n');
}

const told = (value: number): string => {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return (Number(value.toFixed(digits)) + 0).toString();
};
