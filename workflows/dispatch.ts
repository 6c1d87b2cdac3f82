import {
  condition,
  getExternalWorkflowHandle,
  log,
  proxyActivities,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import type { ControlActivities } from '../activities';
import type { DispatchStep } from '../domain/control-cycle';
import { failureText } from './failure-text';
import {
  controlLoopId,
  dispatchChangedSignal,
  dispatchStatusQuery,
  wakeSignal,
  type DispatchInput,
  type DispatchStatus,
} from './messages';

const { advanceDispatch } = proxyActivities<ControlActivities>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '500ms', maximumInterval: '10s' },
});

/** Sleeps this long at least, so that clocks that differ a little do not make it spin. */
const SHORTEST_SLEEP_MS = 50;

/**
 * Carries one accepted dispatch from acceptance to its report: wakes at each moment its row names, brings the row to
 * the state its window says, and tells the control loop. Postgres decides; `planCycle` honours the window by itself,
 * so a dispatch ends in time even when this workflow's worker is dead.
 */
export async function dispatch({ dispatchId }: DispatchInput): Promise<DispatchStatus> {
  const status = { dispatchId, state: 'accepted', nextAtMs: null as number | null };
  let changes = 0;
  setHandler(dispatchStatusQuery, () => status);
  setHandler(dispatchChangedSignal, () => {
    changes += 1;
  });

  for (;;) {
    const seen = changes;
    const step = await advanceDispatch({ dispatchId });
    status.state = step.state;
    status.nextAtMs = step.nextAtMs;
    setCurrentDetails(step.summary);
    if (step.changed) await wakeLoop(step);
    if (step.nextAtMs === null) return status;
    const sleepMs = Math.max(SHORTEST_SLEEP_MS, step.nextAtMs - Date.now());
    await condition(() => changes !== seen, sleepMs, { summary: step.summary });
  }
}

/** A loop that does not run is started by the supervisor and reads the dispatch by itself. */
async function wakeLoop({ rootFeederId }: DispatchStep): Promise<void> {
  try {
    await getExternalWorkflowHandle(controlLoopId(rootFeederId)).signal(wakeSignal);
  } catch (error) {
    log.warn('the control loop could not be woken', { feederId: rootFeederId, reason: failureText(error) });
  }
}
