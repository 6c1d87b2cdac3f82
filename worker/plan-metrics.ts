import { dispatchShortfalls } from '../domain/dispatch-shortfall';
import type { TreeSnapshot } from '../domain/fleet';
import type { TreePlan } from '../domain/plan';
import { Counter, Gauge, type Registry } from '../observability/metrics';

/** A root that was not planned here for this many intervals is planned by another worker, or by none: its gauges go. */
const FRESH_INTERVALS = 3;

export type PlanObserver = (rootFeederId: string, tree: TreeSnapshot, plan: TreePlan) => void;

interface Planned {
  readonly tree: TreeSnapshot;
  readonly plan: TreePlan;
  readonly untilMs: number;
}

/** What goes wrong in feeder trees, by feeder, from each plan that is stored. */
export function observePlans(registry: Registry, monotonicMs: () => number): PlanObserver {
  const registers = [registry];
  const latest = new Map<string, Planned>();
  const broken = new Counter({
    name: 'derms_limit_broken_cycles_total',
    help: 'Cycles that found the meter of a feeder over its limit in force.',
    labelNames: ['feeder', 'side'],
    registers,
  });
  const infeasible = new Counter({
    name: 'derms_infeasible_cycles_total',
    help: 'Cycles in which all the help below a feeder did not suffice.',
    labelNames: ['feeder'],
    registers,
  });
  const gauge = (name: string, help: string, of: (planned: Planned, rootFeederId: string) => [string, number][]) =>
    new Gauge({
      name,
      help,
      labelNames: ['feeder'],
      registers,
      collect() {
        this.reset();
        for (const [rootFeederId, planned] of latest) {
          if (monotonicMs() > planned.untilMs) latest.delete(rootFeederId);
          else for (const [feeder, value] of of(planned, rootFeederId)) this.inc({ feeder }, value);
        }
      },
    });
  gauge(
    'derms_limit_broken_kw',
    'How far the meter of a feeder is over its limit in force; 0 when it is not.',
    ({ plan }) =>
      plan.nodes.flatMap(({ feederId, ...node }) => {
        const over = overKw(node);
        return over === null ? [] : [[feederId, Math.max(over.import, over.export, 0)]];
      }),
  );
  gauge('derms_infeasible_kw', 'How far a feeder stays off its limits with all the help below it.', ({ plan }) =>
    plan.nodes.map(({ feederId, missingKw }) => [feederId, missingKw]),
  );
  gauge('derms_not_following_devices', 'Devices of the tree that do not follow their setpoints.', ({ plan }, root) => [
    [root, plan.notFollowingDevices.length],
  ]);
  gauge('derms_dispatch_shortfall_kw', 'What dispatches ask of a feeder and the plan cannot place.', ({ tree, plan }) =>
    dispatchShortfalls(tree.dispatches, plan).map(({ feederId, shortfallKw }) => [feederId, shortfallKw]),
  );
  return (rootFeederId, tree, plan) => {
    const untilMs = monotonicMs() + FRESH_INTERVALS * tree.settings.intervalSeconds * 1000;
    latest.set(rootFeederId, { tree, plan, untilMs });
    for (const { feederId, missingKw, ...node } of plan.nodes) {
      const over = overKw(node);
      if (over !== null && over.import > 0) broken.inc({ feeder: feederId, side: 'import' });
      if (over !== null && over.export > 0) broken.inc({ feeder: feederId, side: 'export' });
      if (missingKw > 0) infeasible.inc({ feeder: feederId });
    }
  };
}

/** null without a fresh meter. */
function overKw({ measuredKw, high, low }: Pick<TreePlan['nodes'][number], 'measuredKw' | 'high' | 'low'>) {
  return measuredKw === null ? null : { import: measuredKw - high.kw, export: low.kw - measuredKw };
}
