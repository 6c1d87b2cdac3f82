import { setTimeout as sleep } from 'node:timers/promises';
import type { Actor } from '../../db/audit';
import type { JobRunRecord, JobRunSummary } from '../../db/job-run-record';
import { DermsError } from '../../domain/errors';
import { jobWorkflowId } from '../../workflows/messages';
import type { JobDeclaration } from '../../jobs/runner/declaration';
import { slotsOf } from '../../jobs/runner/places';
import { newRunId } from '../../jobs/runner/run-ids';
import type { AppPorts } from '../ports';
import { HttpFailure } from '../problem';
import { faultsOfIssue } from '../request-input';
import { tellWorkflow } from '../tell-workflow';
import { runsWithoutRow } from './read-run';

export interface RunAsked {
  readonly jobName: string;
  readonly input: unknown;
  readonly idempotencyKey: string | null;
  /** The run whose input is taken again. */
  readonly againOf: string | null;
  readonly actor: Actor;
}

/**
 * Writes the run down first, in its place, and then starts its workflow; what fails in between is made up for by the
 * supervisor. The input is kept as it was sent: the worker reads it by its own declaration.
 *
 * @throws {DermsError} JOB_NOT_FOUND, VALIDATION_FAILED, JOB_ALREADY_RUNNING, IDEMPOTENCY_KEY_REUSED.
 */
export async function startRun(
  ports: AppPorts,
  asked: RunAsked,
): Promise<{ readonly run: JobRunRecord; readonly repeated: boolean }> {
  const job = declaredJob(ports, asked.jobName);
  checkInput(job, asked.input);
  const runId = newRunId();
  const slots = slotsOf(job);
  const unbegun = slots === null ? [] : await unbegunRuns(ports, job.name);
  const order = { ...asked, runId, workflowId: jobWorkflowId(job.name, runId), slots, unbegun };
  let ordered = await ports.runs.order(order);
  if (ordered.outcome === 'taken' && (await settleThoseThatAreOver(ports, ordered.holders)))
    ordered = await ports.runs.order(order);
  if (ordered.outcome === 'taken') throw alreadyRunning(job.name, ordered.holders);
  const { run, repeated } = ordered;
  if (run.finishedAt === null && run.state === 'waiting') {
    const about = { runId: run.runId, requestId: asked.actor.requestId };
    await tellWorkflow(ports, 'start-run', about, (to) =>
      to.startJobRun({ runId: run.runId, jobName: run.jobName, input: run.input }),
    );
  }
  return { run, repeated };
}

/** @throws {DermsError} JOB_NOT_FOUND */
export function declaredJob({ jobs }: Pick<AppPorts, 'jobs'>, jobName: string): JobDeclaration {
  const job = jobs.declared.get(jobName);
  if (job === undefined) throw new DermsError('JOB_NOT_FOUND', `There is no job ${jobName}.`);
  return job;
}

function checkInput(job: JobDeclaration, input: unknown): void {
  const result = job.input.safeParse(input, { reportInput: true });
  if (result.success) return;
  const faults = result.error.issues.flatMap((issue) => faultsOfIssue(issue, ''));
  throw new DermsError('VALIDATION_FAILED', `This is no input of ${job.name}; nothing was done.`, { faults });
}

/** A holder that was ended in Temporal by hand could not say so itself. */
async function settleThoseThatAreOver(
  { runs, log }: AppPorts,
  holders: readonly { readonly runId: string; readonly workflowId: string }[],
): Promise<boolean> {
  let settled = false;
  for (const { runId, workflowId } of holders) {
    try {
      const [closed, row] = await Promise.all([runs.closedAs(workflowId), runs.find(runId)]);
      // One that waits may have been written down this very moment, before its workflow is there.
      if (closed === null || (row?.state === 'waiting' && closed.failure?.code === 'TEMPORAL_LOST_IT')) continue;
      await runs.settle(runId, closed);
      settled = true;
    } catch (err) {
      log.warn({ err, runId }, 'whether the run that has the place is over cannot be told');
    }
  }
  return settled;
}

/** Those that a schedule or somebody in Temporal has made, and that wait for a worker. */
const unbegunRuns = async (ports: Pick<AppPorts, 'runs'>, jobName: string): Promise<JobRunSummary[]> =>
  (await runsWithoutRow(ports)).filter((run) => run.jobName === jobName);

/** Those that go on or wait, however they were started, the oldest first. */
export async function activeRuns(ports: Pick<AppPorts, 'runs'>, jobName: string): Promise<JobRunSummary[]> {
  const filter = { jobName, origin: null, requestedBy: null, before: null, limit: 10 };
  const [unbegun, running, waiting] = await Promise.all([
    unbegunRuns(ports, jobName),
    ports.runs.list({ ...filter, state: 'running' }),
    ports.runs.list({ ...filter, state: 'waiting' }),
  ]);
  return [...unbegun, ...running, ...waiting].sort((a, b) => a.requestedAt.localeCompare(b.requestedAt));
}

/** With the link of the first of those that have the places. */
export function alreadyRunning(name: string, holders: readonly { readonly runId: string }[]): HttpFailure {
  const [holder] = holders;
  if (holder === undefined) return new HttpFailure('JOB_ALREADY_RUNNING', `${name} runs already; nothing was started.`);
  const activeRun = `/api/runs/${holder.runId}`;
  return new HttpFailure(
    'JOB_ALREADY_RUNNING',
    `${name} runs already: ${holders.map(({ runId }) => runId).join(', ')}.`,
    {
      activeRun,
      headers: { Link: `<${activeRun}>; rel="related"` },
    },
  );
}

const LOOK_EVERY_MS = 200;

/** The run when it is over, or as it is after `withinMs` or when the process is told to stop. */
export async function waitForRun(
  { runs, stopping }: Pick<AppPorts, 'runs' | 'stopping'>,
  run: JobRunRecord,
  withinMs: number,
): Promise<JobRunRecord> {
  const until = performance.now() + withinMs;
  let seen = run;
  while (seen.finishedAt === null && performance.now() < until && !stopping()) {
    await sleep(LOOK_EVERY_MS);
    seen = (await runs.find(run.runId)) ?? seen;
  }
  return seen;
}
