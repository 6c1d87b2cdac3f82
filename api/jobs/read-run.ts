import type { z } from 'zod';
import type { JobRunRecord, JobRunSummary } from '../../db/job-run-record';
import type { RunRecord } from '../../db/job-runs';
import { jobNameOf } from '../../domain/workflow-ids';
import { runIdIn } from '../../jobs/runner/run-ids';
import type { OpenJobWorkflow } from '../../temporal/job-queues';
import type { AppPorts } from '../ports';
import type { runSchema } from '../schemas/job';
import { runView } from './views';
import { waitingFor } from './waiting';

/** More of a story than this is read as a stream. */
const MOST_EVENTS = 2_000;

/** A run with all that is told of it. */
export async function readRunView(ports: AppPorts, run: JobRunRecord): Promise<z.input<typeof runSchema>> {
  const [story, evidence] = await Promise.all([
    ports.runs.events(run.runId, 0, MOST_EVENTS),
    ports.runs.evidence(run.runId),
  ]);
  return runView(ports, run, { story, evidence, waitingFor: await waitingFor(ports, run, story, Date.now()) });
}

/** Runs that Temporal has made and no worker has begun: they have no row yet. Newest first. */
export async function runsWithoutRow({ runs }: Pick<AppPorts, 'runs'>): Promise<JobRunSummary[]> {
  const open = (await runs.openWorkflows()).map((workflow) => summaryOf(workflow));
  if (open.length === 0) return [];
  const known = await runs.known(open.map(({ runId }) => runId));
  return open.filter(({ runId }) => !known.has(runId));
}

const summaryOf = ({ workflowId, startedAt, scheduleId, nominalAt }: OpenJobWorkflow): JobRunSummary => ({
  runId: runIdIn(workflowId),
  jobName: jobNameOf(workflowId) ?? workflowId,
  workflowId,
  state: 'waiting',
  origin: scheduleId === null ? 'temporal' : 'schedule',
  scheduleId,
  nominalAt: nominalAt?.toISOString() ?? null,
  requestedBy: scheduleId === null ? 'temporal' : `schedule ${scheduleId}`,
  requestedAt: startedAt.toISOString(),
  startedAt: null,
  finishedAt: null,
  step: null,
  attempt: 0,
  progress: null,
  failure: null,
  skippedFor: null,
  cancel: null,
});

/** A run by its row, or as Temporal alone knows it. */
export async function findRun(ports: Pick<AppPorts, 'runs'>, runId: string): Promise<JobRunRecord | null> {
  const row = await ports.runs.find(runId);
  if (row !== null) return row;
  const open = (await runsWithoutRow(ports)).find((run) => run.runId === runId);
  return open === undefined ? null : { ...open, input: null, result: null, released: false, heartbeatAt: null };
}

/** A run that only Temporal knows, as its row will be: without a place, for its end; null when it has a row. */
export async function unbegunRun(ports: Pick<AppPorts, 'runs'>, runId: string): Promise<RunRecord | null> {
  if ((await ports.runs.find(runId)) !== null) return null;
  const open = (await runsWithoutRow(ports)).find((run) => run.runId === runId);
  if (open === undefined) return null;
  const { jobName, workflowId, origin, scheduleId, nominalAt, requestedAt } = open;
  return {
    ...{ runId, jobName, workflowId, origin, scheduleId, input: {}, slots: null },
    nominalAtMs: nominalAt === null ? null : Date.parse(nominalAt),
    requestedAtMs: Date.parse(requestedAt),
  };
}
