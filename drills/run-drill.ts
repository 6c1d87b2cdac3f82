import { setTimeout as sleep } from 'node:timers/promises';
import { startCanary, type Canary } from './canary';
import { DrillRefused, type Drill, type DrillReport, type DrillStep, type DrillTools, type Finding } from './drill';
import { refusals, type GuardFacts } from './guard';
import { readMetricsPage, type MetricsPage } from './metrics-page';
import { watchMetrics, type MetricsWatch } from './metrics-watch';
import { faultsOf } from './verdict';

/** What a drill stands in. */
export interface DrillSurroundings {
  /** The page that Prometheus reads. */
  readonly metricsUrl: string;
  /** What the guard is told beside the metrics. */
  guardFacts(): Promise<Omit<GuardFacts, 'metrics'>>;
  /** Keeps the report; called once, when all is over. */
  record(report: DrillReport): Promise<void>;
}

export interface DrillOrder {
  readonly runId: string;
  readonly signal: AbortSignal;
  readonly onStep: (note: string) => void;
}

const OFFLINE_DEVICES = 'derms_control_loop_offline_devices';
/** Of undisturbed writing before the act, and of what says that it is back. */
const ENOUGH = { writes: 20, withinMs: 15_000 };
/** The health monitor looks each second: what the act has left is on the page by then, ms. */
const SETTLE_MS = 2_500;
const LOOK_EVERY_MS = 50;

/**
 * Carries a drill out: guard, calm, act, recovery, aftermath, verdict, record. Whatever happens, what it broke is mended
 * as far as it can be, and what it opened is closed.
 *
 * @throws {DrillRefused} when it must not begin; nothing was touched.
 */
export async function runDrill(drill: Drill, surroundings: DrillSurroundings, order: DrillOrder): Promise<DrillReport> {
  const startedAt = new Date();
  const began = performance.now();
  try {
    await refuseOrGoOn(surroundings);
    const steps: DrillStep[] = [];
    const figures: Record<string, number> = {};
    const tools: DrillTools = {
      signal: order.signal,
      step(note) {
        steps.push({ note, atMs: Math.round(performance.now() - began) });
        order.onStep(note);
      },
      figure(name, value) {
        figures[name] = value;
      },
    };
    const measured = await measure(drill, surroundings, tools);
    const faults = faultsOf(drill, measured);
    const { canary, offlineDevices, findings } = measured;
    const report: DrillReport = {
      runId: order.runId,
      drill: drill.name,
      scenario: drill.scenario,
      hypothesis: drill.hypothesis,
      blastRadius: drill.blastRadius,
      budget: drill.budget,
      startedAt: startedAt.toISOString(),
      finishedAt: new Date().toISOString(),
      verdict: faults.length === 0 ? 'passed' : 'failed',
      faults,
      ...{ canary, offlineDevices, findings },
      gauge: { ...drill.gauge, ...measured.gauge },
      steps,
      figures,
    };
    await surroundings.record(report);
    return report;
  } finally {
    await drill.canary.close();
  }
}

async function refuseOrGoOn(surroundings: DrillSurroundings): Promise<void> {
  const metrics = await readMetricsPage(surroundings.metricsUrl).catch((error: unknown) =>
    error instanceof Error ? error.message : String(error),
  );
  const reasons = refusals({ ...(await surroundings.guardFacts()), metrics });
  if (reasons.length > 0) throw new DrillRefused(reasons);
}

async function measure(drill: Drill, { metricsUrl }: DrillSurroundings, tools: DrillTools) {
  const watch = watchMetrics(metricsUrl, drill.gauge.name);
  const canary = startCanary(drill.canary);
  try {
    tools.step('calm: the canary writes and reads');
    const { writes, withinMs } = drill.canary.enough ?? ENOUGH;
    if (!(await until(() => canary.acknowledged() >= writes && watch.value() === 1, withinMs, tools.signal)))
      throw new DrillRefused(['the canary could not write, or the gauge was not 1, before anything was done']);
    const before = offlineDevices(watch.latest());
    let notBack: readonly string[];
    let findings: readonly Finding[];
    try {
      await drill.act(tools);
      notBack = await recovered({ drill, canary, watch, before }, tools);
      findings = await drill.aftermath(tools);
    } catch (error) {
      await drill.recover();
      throw error;
    }
    tools.step('every acknowledged write is looked up');
    const after = offlineDevices(watch.latest());
    return {
      canary: await canary.stop(),
      gauge: watch.seen(),
      offlineDevices: { before, after },
      notBack,
      findings,
    };
  } finally {
    await watch.stop();
    await canary.halt();
  }
}

interface Recovering {
  readonly drill: Drill;
  readonly canary: Canary;
  readonly watch: MetricsWatch;
  /** Devices offline before the act. */
  readonly before: number;
}

/** What is not back within the budget's time, a sentence each. */
async function recovered(
  { drill: { budget, gauge, canary: probe }, canary, watch, before }: Recovering,
  tools: DrillTools,
): Promise<readonly string[]> {
  const began = performance.now();
  const left = (): number => Math.max(0, budget.recoveryMs - (performance.now() - began));
  const wanted = canary.acknowledged() + (probe.enough ?? ENOUGH).writes;
  const within = `within ${String(budget.recoveryMs)} ms of the act`;
  if (!(await until(() => canary.acknowledged() >= wanted, left(), tools.signal)))
    return [`writes were not acknowledged again ${within}`];
  tools.step('writes are acknowledged again');
  await sleep(SETTLE_MS, undefined, { signal: tools.signal });
  if (!(await until(() => watch.value() === 1, left(), tools.signal)))
    return [`${gauge.name} was not 1 again ${within}`];
  tools.step(`${gauge.name} is 1`);
  if (!(await until(() => offlineDevices(watch.latest()) <= before, left(), tools.signal)))
    return [`${String(offlineDevices(watch.latest()))} devices were offline ${within}, before it ${String(before)}`];
  return [];
}

const offlineDevices = (page: MetricsPage | null): number => page?.sum(OFFLINE_DEVICES) ?? 0;

/** Whether `holds` came true in time. */
async function until(holds: () => boolean, withinMs: number, signal: AbortSignal): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > deadline) return false;
    await sleep(LOOK_EVERY_MS, undefined, { signal });
  }
  return true;
}
