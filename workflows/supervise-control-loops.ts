import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { ControlActivities } from '../activities';

const MOST_NAMED = 10;

const { startWhatShouldRun } = proxyActivities<ControlActivities>({
  startToCloseTimeout: '30s',
  scheduleToCloseTimeout: '50s',
  retry: { initialInterval: '1s', maximumInterval: '5s' },
});

/** Each minute: starts the loop of every enabled root that has none, and accepted dispatches without a workflow. */
export async function superviseControlLoops(): Promise<void> {
  const { roots, dispatches } = await startWhatShouldRun();
  setCurrentDetails(`started loops: ${named(roots)}\n\nstarted dispatches: ${named(dispatches)}`);
}

const named = (ids: readonly string[]): string =>
  ids.length === 0
    ? 'none'
    : `${ids.slice(0, MOST_NAMED).join(', ')}${ids.length > MOST_NAMED ? ` and ${String(ids.length - MOST_NAMED)} more` : ''}`;
