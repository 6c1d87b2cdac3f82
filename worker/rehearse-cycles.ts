import { randomUUID } from 'node:crypto';
import { planCycle } from '../activities/plan-cycle';
import type { PlanStore } from '../activities/ports';
import type { LoopPosition } from '../db/loop-figures';
import { createPlanStore } from '../db/plan-store';
import type { Database } from '../db/pool';
import { rehearsalOn } from '../db/rehearsal';
import type { PolicyNumbers } from '../db/tree-snapshot';
import { planTree } from '../domain/plan-tree';
import { setpointTtlSeconds } from '../domain/setpoint-life';
import { planTimeoutMs } from '../domain/timeouts';

const STEPS = ['claim', 'read', 'decide', 'store'] as const;
export type Step = (typeof STEPS)[number];

export interface RehearsedCycles {
  readonly rounds: number;
  /** Median of the rounds, ms. */
  readonly steps: Readonly<Record<Step, number>>;
  readonly wholeMs: number;
  /** Slowest first; the median of the rounds, ms. */
  readonly statements: readonly { readonly text: string; readonly ms: number; readonly plan: string | null }[];
  /** Why a round came to no end: a statement that was given up, say. */
  readonly failures: readonly string[];
}

/**
 * Plans the loop's next cycle as a worker would, `rounds` times, and undoes each; then once more with the slowest
 * statements explained. For that long, some ten milliseconds each time, the live cycle waits for the loop's row.
 */
export async function rehearseCycles(
  db: Database,
  policy: Omit<PolicyNumbers, 'setpointTtlSeconds'>,
  position: () => Promise<LoopPosition>,
  { rounds, slowest, pause }: { rounds: number; slowest: number; pause: () => Promise<void> },
): Promise<RehearsedCycles> {
  const rehearsal = rehearsalOn(db);
  const times: Record<Step | 'whole', number[]> = { claim: [], read: [], decide: [], store: [], whole: [] };
  const failures: string[] = [];
  const timed = async <T>(step: Step | 'whole', work: () => Promise<T> | T): Promise<T> => {
    const began = performance.now();
    const result = await work();
    times[step].push(performance.now() - began);
    return result;
  };
  const store = createPlanStore({ ...db, ...rehearsal.db }, { ...policy, setpointTtlSeconds });
  const plans: PlanStore = {
    plan: (key, limits, work) =>
      store.plan(key, limits, (tx) =>
        work({
          claim: () => timed('claim', () => tx.claim()),
          snapshot: () => timed('read', () => tx.snapshot()),
          store: (record) => timed('store', () => tx.store(record)),
        }),
      ),
  };
  const ports = {
    plans,
    newPlanId: () => randomUUID(),
    planTree: (tree: Parameters<typeof planTree>[0]) => {
      const began = performance.now();
      const plan = planTree(tree);
      times.decide.push(performance.now() - began);
      return plan;
    },
  };
  const round = async (): Promise<void> => {
    const { intervalSeconds, nowMs, ...key } = await position();
    const timeoutMs = planTimeoutMs(intervalSeconds);
    const input = { ...key, cycle: key.cycle + 1, tickMs: nowMs, final: false, timeoutMs };
    try {
      await planCycle(ports, input, new AbortController().signal);
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  };
  for (let done = 0; done < rounds; done += 1) {
    await timed('whole', round);
    await pause();
  }
  const ranked = [...rehearsal.statements.values()]
    .map(({ text, times: took }) => ({ text, ms: median(took) }))
    .sort((a, b) => b.ms - a.ms);
  const steps = Object.fromEntries(STEPS.map((step) => [step, median(times[step])])) as Record<Step, number>; // one per step
  const shown = ranked.slice(0, slowest).map(({ text }) => text);
  const planOf = (text: string): string | null => rehearsal.statements.get(text)?.plan ?? null;
  rehearsal.explain(new Set(shown));
  // Not every cycle asks everything.
  for (let done = 0; done < rounds && shown.some((text) => planOf(text) === null); done += 1) await round();
  return {
    rounds,
    steps,
    wholeMs: median(times.whole.slice(0, rounds)),
    statements: ranked.map((each) => ({ ...each, plan: planOf(each.text) })),
    failures,
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
