import type { JobBegun, StepPlan } from '../domain/job-run';
import type { JobDeclaration } from '../jobs/runner/declaration';
import { slotsOf } from '../jobs/runner/places';
import { runIdOfWorkflow } from '../jobs/runner/run-ids';
import type { JobActivityPorts, RunClaim, RunHolder } from './job-ports';

export interface BeginJobRunInput {
  readonly jobName: string;
  readonly runId?: string;
  readonly workflowId: string;
  readonly temporalRunId: string;
  readonly startedAtMs: number;
  readonly scheduleId: string | null;
  readonly nominalAtMs: number | null;
  readonly input: unknown;
}

const DEFAULT_PAUSE_SECONDS = 5;

/**
 * The first step of every run: takes its place, or records why it does not begin. What nobody can carry out (an unknown
 * job, an input that does not fit) ends as failed and not as a workflow that is stuck.
 */
export async function beginJobRun(ports: JobActivityPorts, begin: BeginJobRunInput): Promise<JobBegun> {
  const runId = begin.runId ?? runIdOfWorkflow(begin.workflowId);
  const job = ports.jobs.get(begin.jobName);
  const claim = claimOf(begin, runId, job);
  if (job === undefined) return refuse(ports, claim, 'JOB_NOT_FOUND', `this worker knows no job ${begin.jobName}`);
  const input = job.input.safeParse(begin.input);
  if (!input.success) return refuse(ports, claim, 'VALIDATION_FAILED', faultsOf(input.error.issues));

  let claimed = await ports.runs.claim(claim);
  if (claimed.outcome === 'taken' && (await freeThoseThatAreOver(ports, claimed.holders)))
    claimed = await ports.runs.claim(claim);
  if (claimed.outcome === 'taken') return skip(ports, claim, claimed.holders);
  if (claimed.outcome === 'over') return { outcome: 'over', runId, state: claimed.state, reason: claimed.reason };
  return { outcome: 'begun', runId, steps: job.steps.map((step) => planOf(step, input.data)) };
}

const claimOf = (begin: BeginJobRunInput, runId: string, job: JobDeclaration | undefined): RunClaim => ({
  runId,
  jobName: begin.jobName,
  workflowId: begin.workflowId,
  origin: begin.scheduleId !== null ? 'schedule' : 'temporal',
  scheduleId: begin.scheduleId,
  nominalAtMs: begin.nominalAtMs,
  requestedAtMs: begin.startedAtMs,
  input: begin.input,
  slots: job === undefined ? null : slotsOf(job),
});

async function refuse(ports: JobActivityPorts, claim: RunClaim, code: string, message: string): Promise<JobBegun> {
  await ports.runs.refuse(claim, { state: 'failed', failure: { code, message }, skippedFor: null });
  return { outcome: 'over', runId: claim.runId, state: 'failed', reason: message };
}

async function skip(ports: JobActivityPorts, claim: RunClaim, holders: readonly RunHolder[]): Promise<JobBegun> {
  const [holder] = holders;
  const reason = `the job runs already: run ${holders.map(({ runId }) => runId).join(', ')}`;
  await ports.runs.refuse(claim, {
    state: 'skipped',
    failure: { code: 'JOB_ALREADY_RUNNING', message: reason },
    skippedFor: holder?.runId ?? null,
  });
  return { outcome: 'over', runId: claim.runId, state: 'skipped', reason };
}

/** A run that was terminated by hand cannot say so itself. */
async function freeThoseThatAreOver(ports: JobActivityPorts, holders: readonly RunHolder[]): Promise<boolean> {
  let freed = false;
  for (const { runId, workflowId } of holders) {
    const closed = await ports.closedAs(workflowId);
    if (closed === null) continue;
    await ports.runs.settle(runId, closed);
    freed = true;
  }
  return freed;
}

const planOf = (step: JobDeclaration['steps'][number], input: unknown): StepPlan => ({
  name: step.name,
  queue: step.queue?.(input) ?? null,
  attemptSeconds: step.attemptSeconds,
  attempts: step.attempts,
  pauseSeconds: step.pauseSeconds ?? DEFAULT_PAUSE_SECONDS,
});

const faultsOf = (issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[]): string =>
  issues
    .map(({ path, message }) => `${path.length === 0 ? 'input' : path.map(String).join('.')}: ${message}`)
    .join('; ');
