import { dispatchShortfalls, undeliveredKw } from '../domain/dispatch-shortfall';
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
  gauge(
    'derms_feeder_flow_kw',
    'Metered flow of a feeder at its last plan, import positive; none without a fresh meter.',
    ({ plan }) =>
      plan.nodes.flatMap(({ feederId, measuredKw }) => (measuredKw === null ? [] : [[feederId, measuredKw]])),
  );
  gauge('derms_feeder_upper_limit_kw', 'Most that a feeder may import now: the tightest of all limits.', ({ plan }) =>
    plan.nodes.map(({ feederId, high }) => [feederId, high.kw]),
  );
  gauge(
    'derms_feeder_lower_limit_kw',
    'The same for export: the flow must not be below this, which is negative or 0.',
    ({ plan }) => plan.nodes.map(({ feederId, low }) => [feederId, low.kw]),
  );
  gauge('derms_meter_stale', '1 while the meter of a feeder is stale: its worst hour counts.', ({ plan }) =>
    plan.nodes.map(({ feederId, meterStale }) => [feederId, meterStale ? 1 : 0]),
  );
  gauge('derms_dispatches_in_force', 'Dispatches in force at a feeder.', ({ tree, plan }) =>
    plan.nodes.map(({ feederId }) => [
      feederId,
      tree.dispatches.filter((dispatch) => dispatch.feederId === feederId).length,
    ]),
  );
  gauge(
    'derms_dispatch_undelivered_kw',
    'How far the meter of a feeder is off what the dispatches in force there ask, added up; 0 without a dispatch.',
    ({ tree, plan }) => [
      ...plan.nodes.map(({ feederId }): [string, number] => [feederId, 0]),
      ...tree.dispatches.map((dispatch): [string, number] => [dispatch.feederId, undeliveredKw(dispatch, plan) ?? 0]),
    ],
  );
  gauge(
    'derms_dispatch_shortfall_kw',
    'What dispatches ask of a feeder and the plan cannot place.',
    ({ tree, plan }) => [
      ...plan.nodes.map(({ feederId }): [string, number] => [feederId, 0]),
      ...dispatchShortfalls(tree.dispatches, plan).map(({ feederId, shortfallKw }): [string, number] => [
        feederId,
        shortfallKw,
      ]),
    ],
  );
  return (rootFeederId, tree, plan) => {
    const untilMs = monotonicMs() + FRESH_INTERVALS * tree.settings.intervalSeconds * 1000;
    latest.set(rootFeederId, { tree, plan, untilMs });
    for (const { feederId, missingKw, ...node } of plan.nodes) {
      const over = overKw(node);
      // Counted from 0 on, so that the first one is seen as an increase.
      for (const side of ['import', 'export'] as const)
        broken.inc({ feeder: feederId, side }, over !== null && over[side] > 0 ? 1 : 0);
      infeasible.inc({ feeder: feederId }, missingKw > 0 ? 1 : 0);
    }
  };
}

/** null without a fresh meter. */
function overKw({ measuredKw, high, low }: Pick<TreePlan['nodes'][number], 'measuredKw' | 'high' | 'low'>) {
  return measuredKw === null ? null : { import: measuredKw - high.kw, export: low.kw - measuredKw };
}
