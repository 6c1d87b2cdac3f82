import { underApproval } from '../domain/approval';
import { missedTicks } from '../domain/control-ticks';
import type { Claim, CycleKey, PlanAnswer, PlanRecord } from '../domain/control-cycle';
import type { TreeSnapshot } from '../domain/fleet';
import type { TreePlan } from '../domain/plan';
import { summarise } from './plan-summary';
import type { PlanStore, PlanTransaction } from './ports';

export interface PlanCycleInput extends CycleKey {
  /** Nominal tick this cycle stands for, ms; for a woken cycle the last one before it. */
  readonly tickMs: number;
  /** The loop is stopping: plan every device at its default. */
  readonly final: boolean;
  /** Longest this may take, ms. */
  readonly timeoutMs: number;
}

export interface PlanCyclePorts {
  readonly plans: PlanStore;
  readonly planTree: (snapshot: TreeSnapshot) => TreePlan;
  readonly newPlanId: () => string;
  /** Sees each plan that was decided, for figures; changes nothing. */
  readonly observe?: (rootFeederId: string, tree: TreeSnapshot, plan: TreePlan) => void;
}

/** Share of the time limit that one statement may take, so that we hear of it before the attempt is given up. */
const STATEMENT_SHARE = 0.8;

/**
 * Reads one consistent picture of the tree, decides, and stores the decision with everything it looked at.
 *
 * Run twice for one cycle it returns the stored plan. Publishes nothing. From a quarantined database nothing is planned
 * and nothing stored: what it knows is older than what devices, broker and Temporal do.
 */
export async function planCycle(
  ports: PlanCyclePorts,
  input: PlanCycleInput,
  signal: AbortSignal,
): Promise<PlanAnswer> {
  const limits = {
    statementTimeoutMs: input.timeoutMs * STATEMENT_SHARE,
    signal: AbortSignal.any([signal, AbortSignal.timeout(input.timeoutMs)]),
  };
  return ports.plans.plan(input, limits, async (tx) => {
    const claim = await tx.claim();
    switch (claim.kind) {
      case 'superseded':
        return ended(input, 'a newer loop controls this feeder');
      case 'stored':
        return stillFresh(claim);
      case 'fresh':
        return planFresh(ports, input, claim, tx);
    }
  });
}

/** A plan older than one interval is never published. */
function stillFresh({ answer, plannedAtMs, nowMs }: Extract<Claim, { kind: 'stored' }>): PlanAnswer {
  return nowMs - plannedAtMs > answer.intervalSeconds * 1000 ? { ...answer, outcome: 'behind' } : answer;
}

async function planFresh(
  ports: PlanCyclePorts,
  input: PlanCycleInput,
  claim: Extract<Claim, { kind: 'fresh' }>,
  tx: PlanTransaction,
): Promise<PlanAnswer> {
  const found = await tx.snapshot();
  if (found === null) return ended(input, 'the feeder is gone or no longer a root');
  const last = input.final || !found.root.enabled;
  if (found.quarantine !== null) return quarantined(input, found.tree, found.quarantine, last);
  const tree: TreeSnapshot = last ? { ...found.tree, mode: 'disabled' } : found.tree;
  const planId = ports.newPlanId();
  const decided = ports.planTree(tree);
  const asksForApproval = tree.mode === 'manual' && tree.emergencyStop === undefined;
  const manual = asksForApproval ? underApproval(decided, tree, found.proposal) : null;
  const plan = manual?.plan ?? decided;
  const waiting = manual?.waiting ?? null;
  const missed = missedSince(claim, input.tickMs, tree.settings.intervalSeconds);
  const setpoints = plan.devices.filter(({ publish }) => publish !== 'none').length;
  const answer: PlanAnswer = {
    outcome: setpoints > 0 ? 'publish' : waiting !== null ? 'awaiting-approval' : 'nothing-to-publish',
    planId,
    mode: tree.mode,
    intervalSeconds: tree.settings.intervalSeconds,
    setpoints,
    missedTicks: missed,
    summary: summarise(input.cycle, plan, { setpoints, waiting, safeState: tree.emergencyStop?.safeState ?? null }),
    last,
  };
  const record: PlanRecord = {
    planId,
    tickMs: input.tickMs,
    missedTicks: missed,
    tree,
    plan,
    answer,
    proposes: manual?.proposesAnew === true ? waiting : null,
    applies: manual?.applies ?? null,
  };
  await tx.store(record);
  ports.observe?.(input.rootFeederId, tree, plan);
  return answer;
}

const ended = (input: PlanCycleInput, why: string): PlanAnswer => ({
  outcome: 'ended',
  planId: null,
  mode: 'disabled',
  intervalSeconds: 0,
  setpoints: 0,
  missedTicks: 0,
  summary: `cycle ${String(input.cycle)}: ${why}`,
  last: true,
});

const quarantined = (input: PlanCycleInput, tree: TreeSnapshot, reason: string, last: boolean): PlanAnswer => ({
  outcome: 'quarantined',
  planId: null,
  mode: tree.mode,
  intervalSeconds: tree.settings.intervalSeconds,
  setpoints: 0,
  missedTicks: 0,
  summary: `cycle ${String(input.cycle)}: quarantined, nothing is planned: ${reason}`,
  last,
});

/** Nominal ticks between the last planned one and this one; a changed interval starts the count anew. */
function missedSince(claim: Extract<Claim, { kind: 'fresh' }>, tickMs: number, intervalSeconds: number): number {
  const { previousTickMs, previousIntervalSeconds } = claim;
  if (previousTickMs === null || previousIntervalSeconds !== intervalSeconds) return 0;
  return missedTicks(previousTickMs, tickMs, intervalSeconds * 1000);
}
