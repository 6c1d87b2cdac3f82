import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { ControlActivities } from '../activities';

const { closeControlGaps } = proxyActivities<ControlActivities>({
  startToCloseTimeout: '30s',
  scheduleToCloseTimeout: '50s',
  retry: { initialInterval: '1s', maximumInterval: '5s' },
});

/** Each minute: starts the loop of every enabled root that has none, and accepted dispatches without a workflow. */
export async function superviseControlLoops(): Promise<void> {
  const { rootsWithoutLoop, openDispatches } = await closeControlGaps();
  setCurrentDetails(
    `${String(rootsWithoutLoop.length)} loops without a recent plan: ${rootsWithoutLoop.slice(0, 10).join(', ') || 'none'}\n\n` +
      `${String(openDispatches.length)} open dispatches`,
  );
}
