import { defineSearchAttributeKey } from '@temporalio/common';
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  TimeoutFailure,
  workflowInfo,
} from '@temporalio/workflow';
import type { JobActivities } from '../activities/jobs';
import {
  HEARTBEAT_TIMEOUT_SECONDS,
  JOB_CANCELLED,
  JOB_SKIPPED,
  type FinishedState,
  type JobRunFailure,
  type StepPlan,
} from '../domain/job-run';
import { failureText } from './failure-text';
import { jobStatusQuery, type JobInput, type JobOutcome, type JobStatus } from './messages';

// The rows of a run are its truth: while the database is away a run neither begins nor ends, it waits.
const { beginJobRun, finishJobRun } = proxyActivities<JobActivities>({
  startToCloseTimeout: '30s',
  retry: { initialInterval: '1s', maximumInterval: '30s' },
});

/** Set by the server on what a schedule starts. */
const SCHEDULED_BY = defineSearchAttributeKey('TemporalScheduledById', 'KEYWORD');
const SCHEDULED_FOR = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME');

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * One run of any job: claims its place, carries out its steps in order, and records how it ended.
 *
 * Knows nothing of any job: what the steps are, how long they may take and how often they are tried comes from the
 * declaration by `beginJobRun`. Ends as Temporal shows it (completed, failed, cancelled) just as the row says.
 */
export async function job({ jobName, runId, input }: JobInput): Promise<JobOutcome> {
  const status: Mutable<JobStatus> = { jobName, runId: runId ?? null, step: null };
  setHandler(jobStatusQuery, () => status);
  const about = { ...whoAmI(), jobName, ...(runId === undefined ? {} : { runId }) };

  // A run that was cancelled before it began still has to be recorded.
  const begun = await CancellationScope.nonCancellable(() => beginJobRun({ ...about, input: input ?? {} }));
  status.runId = begun.runId;
  if (begun.outcome === 'over') {
    setCurrentDetails(`${begun.state}: ${begun.reason}`);
    return { runId: begun.runId, state: begun.state, result: null };
  }
  const ended = await carryOut(begun.steps, (step, results) => {
    status.step = step.name;
    return runStep(step, { ...about, runId: begun.runId, input: input ?? {}, results });
  });
  await CancellationScope.nonCancellable(() =>
    finishJobRun({ runId: begun.runId, state: ended.state, result: ended.result, failure: ended.failure }),
  );
  setCurrentDetails(ended.failure === null ? ended.state : `${ended.state}: ${ended.failure.message}`);
  if (ended.rethrow !== null) throw ended.rethrow;
  return { runId: begun.runId, state: ended.state, result: ended.result };
}

interface Ended {
  readonly state: FinishedState;
  readonly result: unknown;
  readonly failure: JobRunFailure | null;
  /** What Temporal is to show the run as: a failure or a cancellation. */
  readonly rethrow: Error | null;
}

async function carryOut(
  steps: readonly StepPlan[],
  run: (step: StepPlan, results: Readonly<Record<string, unknown>>) => Promise<unknown>,
): Promise<Ended> {
  const results: Record<string, unknown> = {};
  let result: unknown = null;
  try {
    for (const step of steps) {
      result = await run(step, results);
      results[step.name] = result;
    }
    return { state: 'succeeded', result, failure: null, rethrow: null };
  } catch (error) {
    return { ...endOf(error), result: null };
  }
}

function endOf(error: unknown): Omit<Ended, 'result'> {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  const failure = nameOf(cause);
  const { code, message } = failure;
  if (code === JOB_SKIPPED) return { state: 'skipped', failure, rethrow: null };
  if (isCancellation(error) || code === JOB_CANCELLED)
    return { state: 'cancelled', failure: { code: JOB_CANCELLED, message: 'cancelled' }, rethrow: cancellation(error) };
  return { state: 'failed', failure, rethrow: failed(code, message, error) };
}

function nameOf(cause: unknown): JobRunFailure {
  if (cause instanceof ApplicationFailure) {
    const [exception] = cause.type === JOB_SKIPPED ? (cause.details ?? []) : [];
    return {
      code: cause.type ?? 'Error',
      message: cause.message,
      ...(typeof exception === 'string' ? { exception } : {}),
    };
  }
  if (!(cause instanceof TimeoutFailure)) return { code: 'INTERRUPTED', message: failureText(cause) };
  return cause.timeoutType === 'HEARTBEAT'
    ? {
        code: 'WORKER_LOST',
        message: `its worker gave no sign of life for ${String(HEARTBEAT_TIMEOUT_SECONDS)} s, in the last of its attempts`,
      }
    : { code: 'ATTEMPT_TIMED_OUT', message: 'its last attempt took longer than the job allows' };
}

/** The cancellation may have reached the step by its row before Temporal knew of it. */
const cancellation = (error: unknown): Error =>
  error instanceof Error && isCancellation(error)
    ? error
    : ApplicationFailure.create({ message: 'cancelled', type: JOB_CANCELLED });

const failed = (type: string, message: string, cause: unknown): ApplicationFailure =>
  ApplicationFailure.create({ message, type, nonRetryable: true, ...(cause instanceof Error ? { cause } : {}) });

function runStep(
  { name, queue, attemptSeconds, attempts, pauseSeconds }: StepPlan,
  call: Omit<Parameters<JobActivities['runJobStep']>[0], 'step'>,
): Promise<unknown> {
  const { runJobStep } = proxyActivities<JobActivities>({
    ...(queue === null ? {} : { taskQueue: queue }),
    startToCloseTimeout: attemptSeconds * 1000,
    heartbeatTimeout: HEARTBEAT_TIMEOUT_SECONDS * 1000,
    // A run is over when what it started is gone.
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    retry: { maximumAttempts: attempts, initialInterval: pauseSeconds * 1000, maximumInterval: '5m' },
    summary: name,
  });
  return runJobStep({ ...call, step: name });
}

/** Of scheduled runs Temporal says for which schedule and tick they were made. */
function whoAmI() {
  const { workflowId, runId: temporalRunId, startTime, typedSearchAttributes } = workflowInfo();
  return {
    workflowId,
    temporalRunId,
    startedAtMs: startTime.getTime(),
    scheduleId: typedSearchAttributes.get(SCHEDULED_BY) ?? null,
    nominalAtMs: typedSearchAttributes.get(SCHEDULED_FOR)?.getTime() ?? null,
  };
}
