import type { SafeState } from '../domain/fleet';
import type { NodePlan, TreePlan } from '../domain/plan';

/** Most feeders named in a line. */
const MOST_NAMED = 3;

/**
 * One line that an SRE understands in Temporal UI: `cycle 812: 93.1 of 100 kW, 14 setpoints, bound by feeder-a`.
 * The flow is the root's, as measured, or as planned when its meter is silent (marked `~`); export is negative.
 */
export function summarise(
  cycle: number,
  plan: TreePlan,
  {
    setpoints,
    waiting,
    safeState,
  }: {
    readonly setpoints: number;
    readonly waiting: Readonly<Record<string, number>> | null;
    /** Of the emergency stop in force. */
    readonly safeState: SafeState | null;
  },
): string {
  const [root] = plan.nodes;
  const parts = [
    ...(safeState === null ? [] : [`EMERGENCY STOP (${safeState})`]),
    root === undefined ? 'no feeder' : flowOf(root),
    `${String(setpoints)} ${setpoints === 1 ? 'setpoint' : 'setpoints'}`,
  ];
  const bound = plan.nodes.filter(({ binding }) => binding !== 'none').map(({ feederId }) => feederId);
  if (bound.length > 0) parts.push(`bound by ${named(bound)}`);
  const over = plan.nodes.filter(({ missingKw }) => missingKw > 0);
  if (over.length > 0) {
    parts.push(
      `INFEASIBLE: ${over
        .slice(0, MOST_NAMED)
        .map(({ feederId, missingKw }) => `${feederId} over by ${kw(missingKw)} kW`)
        .join(', ')}`,
    );
  }
  if (waiting !== null) parts.push(`changes of ${String(Object.keys(waiting).length)} devices wait for approval`);
  return `cycle ${String(cycle)}: ${parts.join(', ')}`;
}

function flowOf(root: NodePlan): string {
  const flow = root.measuredKw ?? (root.plannedHighKw >= 0 ? root.plannedHighKw : root.plannedLowKw);
  const limit = flow >= 0 ? root.high.kw : root.low.kw;
  return `${root.measuredKw === null ? '~' : ''}${kw(flow)} of ${kw(limit)} kW`;
}

const named = (feederIds: readonly string[]): string =>
  feederIds.length <= MOST_NAMED
    ? feederIds.join(', ')
    : `${feederIds.slice(0, MOST_NAMED).join(', ')} and ${String(feederIds.length - MOST_NAMED)} more`;

const kw = (value: number): string => String(Math.round(value * 10) / 10);
