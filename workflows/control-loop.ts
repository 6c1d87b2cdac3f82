import {
  CancellationScope,
  condition,
  isCancellation,
  log,
  makeContinueAsNewFunc,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { ControlActivities } from '../activities';
import type { PlanAnswer } from '../domain/control-cycle';
import { nextTickMs } from '../domain/control-ticks';
import { planTimeoutMs, publishTimeoutMs } from '../domain/timeouts';
import { failureText } from './failure-text';
import {
  startSignal,
  statusQuery,
  stopSignal,
  wakeSignal,
  type ControlLoopCarried,
  type ControlLoopInput,
  type ControlLoopStatus,
  type CycleResult,
} from './messages';

/** Used until the first plan has told the feeder's own. */
const FIRST_INTERVAL_SECONDS = 10;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Keeps one feeder tree inside its limits: plan, publish what changed, sleep to the next tick or a `wake`.
 *
 * Lives for ever by continue-as-new. A failed cycle is counted and the loop goes on: an outage of the database or of
 * the broker never ends it. It ends when it is stopped, when its feeder is disabled, or when it is no root any more;
 * a start that comes before that end is carried out by going on.
 */
export async function controlLoop({ rootFeederId, carried }: ControlLoopInput): Promise<ControlLoopStatus> {
  const state = firstState(rootFeederId, carried);
  const { status } = state;
  const heard = { wakes: 0, starts: 0, stop: false };
  setHandler(statusQuery, () => status);
  setHandler(wakeSignal, () => {
    heard.wakes += 1;
  });
  setHandler(stopSignal, () => {
    heard.stop = true;
  });
  setHandler(startSignal, () => {
    heard.stop = false;
    heard.starts += 1;
    heard.wakes += 1;
  });

  try {
    for (;;) {
      if (workflowInfo().continueAsNewSuggested && !heard.stop) await continueInNewRun(rootFeederId, state);
      const seen = { ...heard };
      const last = await runCycle(state, heard.stop);
      if (last && heard.starts === seen.starts) return status;
      const woken = (): boolean => heard.stop || heard.wakes !== seen.wakes;
      const tickMs = nextTickMs(Math.max(Date.now(), state.lastTickMs), status.intervalSeconds * 1000, rootFeederId);
      status.nextTickAtMs = tickMs;
      const inTime = await condition(woken, Math.max(1, tickMs - Date.now()), { summary: `next tick, or a wake` });
      if (!inTime) state.lastTickMs = tickMs;
    }
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await CancellationScope.nonCancellable(() => runCycle(state, true));
    throw error;
  }
}

interface LoopState extends Mutable<Omit<ControlLoopCarried, 'status'>> {
  readonly status: Mutable<ControlLoopStatus>;
}

function firstState(rootFeederId: string, carried: ControlLoopCarried | undefined): LoopState {
  if (carried !== undefined) return { ...carried, status: { ...carried.status } };
  const { firstExecutionRunId, startTime } = workflowInfo();
  return {
    cycle: 0,
    chainStartedAtMs: startTime.getTime(),
    lastTickMs: 0,
    status: {
      rootFeederId,
      chainId: firstExecutionRunId,
      cycle: 0,
      mode: 'automatic',
      intervalSeconds: FIRST_INTERVAL_SECONDS,
      nextTickAtMs: null,
      lastResult: null,
      failedCycles: 0,
      missedTicks: 0,
    },
  };
}

async function continueInNewRun(rootFeederId: string, state: LoopState): Promise<never> {
  const next = makeContinueAsNewFunc<(input: ControlLoopInput) => Promise<ControlLoopStatus>>({
    workflowType: 'controlLoop',
  });
  return next({ rootFeederId, carried: { ...state } });
}

/** One cycle; true when the loop ends with it. */
async function runCycle(state: LoopState, final: boolean): Promise<boolean> {
  const { status } = state;
  state.cycle += 1;
  status.cycle = state.cycle;
  try {
    const answer = await plan(state, final);
    if (answer.outcome !== 'ended') {
      status.mode = answer.mode;
      status.intervalSeconds = answer.intervalSeconds;
      status.missedTicks += answer.missedTicks;
    }
    const outcome = answer.outcome === 'publish' ? await publish(state, answer) : answer.outcome;
    if (outcome !== 'ended') finishCycle(status, outcome, answer.summary);
    return answer.last;
  } catch (error) {
    if (isCancellation(error)) throw error;
    status.failedCycles += 1;
    finishCycle(status, 'failed', `cycle ${String(state.cycle)} failed: ${failureText(error)}`);
    log.warn('cycle failed', { feederId: status.rootFeederId, cycle: state.cycle, reason: failureText(error) });
    return false;
  }
}

function finishCycle(status: Mutable<ControlLoopStatus>, outcome: CycleResult['outcome'], summary: string): void {
  status.lastResult = { cycle: status.cycle, atMs: Date.now(), outcome, summary };
  setCurrentDetails(
    `${summary}\n\nmode ${status.mode}, every ${String(status.intervalSeconds)} s, ${String(status.failedCycles)} failed cycles`,
  );
}

function plan(state: LoopState, final: boolean): Promise<PlanAnswer> {
  const { rootFeederId, chainId, intervalSeconds } = state.status;
  const timeoutMs = planTimeoutMs(intervalSeconds);
  const { planCycle } = proxyLocalActivities<ControlActivities>({
    startToCloseTimeout: timeoutMs,
    scheduleToCloseTimeout: timeoutMs,
    retry: { maximumAttempts: 1 },
  });
  return planCycle({
    rootFeederId,
    chainId,
    chainStartedAtMs: state.chainStartedAtMs,
    cycle: state.cycle,
    tickMs: state.lastTickMs === 0 ? Date.now() : state.lastTickMs,
    final,
    timeoutMs,
  });
}

async function publish(state: LoopState, { planId, summary }: PlanAnswer): Promise<CycleResult['outcome']> {
  if (planId === null) return 'nothing-to-publish';
  const timeoutMs = publishTimeoutMs(state.status.intervalSeconds);
  const { publishSetpoints } = proxyActivities<ControlActivities>({
    startToCloseTimeout: timeoutMs,
    scheduleToCloseTimeout: timeoutMs,
    retry: { initialInterval: 200, backoffCoefficient: 2, maximumInterval: 1_000 },
    summary,
  });
  const { outcome } = await publishSetpoints({ rootFeederId: state.status.rootFeederId, planId, timeoutMs });
  return outcome === 'superseded' ? 'behind' : 'published';
}
