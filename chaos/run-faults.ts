import { setTimeout as sleep } from 'node:timers/promises';
import type { Component } from './component';
import type { PlannedFault } from './plan';
import type { DoneFault } from './records';

/** Carries out a plan; returns what was done when the last fault is mended. */
export async function runFaults(
  plan: readonly PlannedFault[],
  components: readonly Component[],
  say: (line: string) => void,
): Promise<DoneFault[]> {
  const byName = new Map(components.map((component) => [component.name, component]));
  const startedAt = performance.now();
  const secondsNow = (): number => (performance.now() - startedAt) / 1_000;
  const one = async ({ target, kind, atSeconds, forSeconds }: PlannedFault): Promise<DoneFault> => {
    const component = byName.get(target);
    if (component === undefined) throw new Error(`there is nothing called ${target}`);
    await sleep(Math.max(0, atSeconds - secondsNow()) * 1_000);
    const beganAtMs = Date.now();
    say(`${secondsNow().toFixed(1).padStart(6)} s  ${kind} ${target}`);
    await component.break(kind);
    await sleep(forSeconds * 1_000);
    await component.mend(kind);
    say(`${secondsNow().toFixed(1).padStart(6)} s  ${target} is back`);
    return { target, kind, beganAtMs, endedAtMs: Date.now() };
  };
  const outcomes = await Promise.allSettled(plan.map(one));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw new Error('a fault could not be carried out', { cause: failed.reason });
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
}
