import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { JOB_CANCELLED, JOB_SKIPPED, MOST_RESULT_BYTES } from '../domain/job-run';
import { JobFailure, JobSkipped, type JobContext, type JobProgress } from '../jobs/runner/context';
import type { JobActivityPorts } from './job-ports';
import { keepRunLog, type RunLog } from './run-log';

export interface JobStepCall {
  readonly jobName: string;
  readonly runId: string;
  readonly workflowId: string;
  readonly nominalAtMs: number | null;
  readonly scheduleId: string | null;
  readonly step: string;
  readonly input: unknown;
  readonly results: Readonly<Record<string, unknown>>;
}

const BEAT_MS = 1_000;
/** Another worker takes the step up, as its next attempt. */
const WORKER_STOPPED = 'WORKER_STOPPED';

/**
 * One attempt of one step: the job's own code with a sign of life each second, which shows its progress and brings back
 * whether somebody has cancelled the run. A failure that has a name keeps it.
 */
export async function runJobStep(ports: JobActivityPorts, call: JobStepCall): Promise<unknown> {
  const { jobName, runId, workflowId } = call;
  const job = ports.jobs.get(jobName);
  const step = job?.steps.find(({ name }) => name === call.step);
  if (job === undefined || step === undefined)
    throw ApplicationFailure.nonRetryable(`this worker knows no step ${call.step} of ${jobName}`, 'JOB_NOT_FOUND');
  const { attempt } = Context.current().info;
  const about = { jobName, runId, workflowId, step: call.step };
  const log = keepRunLog(ports.logOf(about), (events) => ports.runs.addEvents(runId, events), ports.job.now);
  const life = keepAlive(ports, { ...call, attempt }, log);
  log.event({ kind: 'step', step: call.step, attempt, what: 'started', detail: null });
  try {
    const answer = await step.run(job.input.parse(call.input), contextOf(ports, call, attempt, life, log));
    const kept = asJson(answer, `the answer of ${jobName}`);
    log.event({ kind: 'step', step: call.step, attempt, what: 'succeeded', detail: null });
    return kept;
  } catch (error) {
    const why = life.endedBy();
    if (why === 'cancellation') log.event({ kind: 'cancel', what: 'stopped' });
    else log.event({ kind: 'step', step: call.step, attempt, what: 'failed', detail: messageOf(error) });
    if (why === 'worker-stop') throw ApplicationFailure.retryable('the worker was stopped', WORKER_STOPPED);
    throw life.cancelledByRow() ? ApplicationFailure.nonRetryable('cancelled', JOB_CANCELLED) : failureOf(error);
  } finally {
    await life.end();
    await log.end();
    await sayStopped(ports, runId, log);
  }
}

/** Where this cannot be said, the supervisor finds out by the run's silence. */
async function sayStopped(ports: JobActivityPorts, runId: string, { own }: RunLog): Promise<void> {
  try {
    await ports.runs.stopped(runId);
  } catch (err) {
    own.warn({ err }, 'that the step has stopped could not be stored');
  }
}

function contextOf(
  ports: JobActivityPorts,
  { runId, workflowId, jobName, step, nominalAtMs, scheduleId, results }: JobStepCall,
  attempt: number,
  life: Life,
  log: RunLog,
): JobContext {
  return {
    runId,
    workflowId,
    jobName,
    step,
    attempt,
    nominalAt: nominalAtMs === null ? null : new Date(nominalAtMs),
    scheduleId,
    signal: life.signal,
    log,
    progress: life.progress,
    evidence: (kind, data) => ports.runs.addEvidence(runId, kind, asJson(data, `evidence ${kind}`) as object),
    results,
    ports: ports.job,
  };
}

interface Life {
  readonly signal: AbortSignal;
  /** What has made `signal` fire; null while it has not. */
  readonly endedBy: () => 'cancellation' | 'worker-stop' | null;
  readonly progress: (progress: JobProgress) => void;
  /** Somebody cancelled the run, and we know it from its row. */
  readonly cancelledByRow: () => boolean;
  end(): Promise<void>;
}

function keepAlive(ports: JobActivityPorts, call: JobStepCall & { readonly attempt: number }, log: RunLog): Life {
  const context = Context.current();
  const stop = new AbortController();
  let progress: JobProgress | null = null;
  let byRow = false;
  let silent = false;
  let workerStops = false;
  const abort = (reason: unknown): void => {
    if (stop.signal.aborted) return;
    workerStops = reason instanceof CancelledFailure && reason.message === 'WORKER_SHUTDOWN';
    if (!workerStops) log.event({ kind: 'cancel', what: 'acknowledged' });
    stop.abort(reason);
  };
  const onCancelled = (): void => {
    abort(context.cancellationSignal.reason);
  };
  if (context.cancellationSignal.aborted) onCancelled();
  context.cancellationSignal.addEventListener('abort', onCancelled, { once: true });

  const beat = async (): Promise<void> => {
    busy = true;
    try {
      const orders = await ports.runs.beat(call.runId, { step: call.step, attempt: call.attempt, progress });
      silent = false;
      if (!orders.cancelRequested && orders.state === 'running') return;
      byRow = true;
      abort(new Error(orders.state === 'running' ? 'the run was cancelled' : `the run is ${orders.state}`));
    } catch (err) {
      if (!silent) log.own.warn({ err }, 'the progress of the run could not be stored; the work goes on');
      silent = true;
    } finally {
      busy = false;
    }
  };
  let busy = false;
  let beating = beat();
  const timer = setInterval(() => {
    context.heartbeat(progress); // a database that hangs must not look like a worker that is dead
    if (!busy) beating = beat();
  }, BEAT_MS);
  return {
    signal: stop.signal,
    progress: (next) => {
      progress = next;
    },
    endedBy: () => (stop.signal.aborted ? (workerStops ? 'worker-stop' : 'cancellation') : null),
    cancelledByRow: () => byRow,
    end: async () => {
      clearInterval(timer);
      context.cancellationSignal.removeEventListener('abort', onCancelled);
      await beating;
    },
  };
}

/** As it is kept: plain JSON, of a size that Postgres and Temporal's history can hold for every run. */
function asJson(value: unknown, what: string): unknown {
  const text = JSON.stringify(value ?? null);
  if (Buffer.byteLength(text) > MOST_RESULT_BYTES)
    throw new JobFailure(
      'RESULT_TOO_LARGE',
      `${what} has ${String(Buffer.byteLength(text))} bytes, over ${String(MOST_RESULT_BYTES)}: store it and answer where it is`,
    );
  return JSON.parse(text);
}

function failureOf(error: unknown): unknown {
  if (error instanceof JobSkipped)
    return ApplicationFailure.nonRetryable(
      error.message,
      JOB_SKIPPED,
      ...(error.exception === null ? [] : [error.exception]),
    );
  if (error instanceof JobFailure)
    return ApplicationFailure.create({
      message: error.message,
      type: error.code,
      nonRetryable: !error.retryable,
      cause: error,
    });
  return error;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
