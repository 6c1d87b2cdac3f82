import { defaultPayloadConverter, type Client, type WorkflowExecutionInfo } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { DispatchTrace, RunTrace } from '../domain/reconciliation';
import { dispatchWorkflowId, type DispatchStatus, type JobInput, type JobOutcome } from '../workflows/messages';
import { closedAs } from './closed-workflow';

const SCHEDULED_BY = defineSearchAttributeKey('TemporalScheduledById', 'KEYWORD');
const SCHEDULED_FOR = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME');
const DISPATCH_PREFIX = dispatchWorkflowId('');
const CALL_TIMEOUT_MS = 5_000;

export interface WorkflowTraces {
  readonly dispatches: readonly DispatchTrace[];
  readonly runs: readonly RunTrace[];
  /** Workflow ids of control loops that run. */
  readonly controlLoops: readonly string[];
}

/**
 * What Temporal knows of everything that runs, or has ended since `sinceMs`; one or two calls for each. What Temporal's
 * own retention has removed is not there.
 *
 * Rejects when Temporal cannot say.
 */
export async function readWorkflowTraces(client: Client, sinceMs: number): Promise<WorkflowTraces> {
  const dispatches = new Map<string, WorkflowExecutionInfo[]>();
  const runs: RunTrace[] = [];
  const controlLoops: string[] = [];
  const since = new Date(sinceMs).toISOString();
  const query = `WorkflowType in ('dispatch', 'job', 'controlLoop') and (ExecutionStatus = 'Running' or CloseTime >= '${since}')`;
  for (const found of await everyOne(client, query)) {
    if (found.type === 'dispatch') {
      const id = found.workflowId.slice(DISPATCH_PREFIX.length);
      dispatches.set(id, [...(dispatches.get(id) ?? []), found]);
    } else if (found.type === 'job') runs.push(await runTrace(client, found));
    else if (found.status.name === 'RUNNING') controlLoops.push(found.workflowId);
  }
  const traces: DispatchTrace[] = [];
  for (const [id, executions] of dispatches) traces.push(await dispatchTrace(client, id, executions));
  return { dispatches: traces, runs, controlLoops };
}

/** Ends a control loop without its last words: nothing may be published from a restored database. */
export const endControlLoop = async (client: Client, workflowId: string, reason: string): Promise<void> => {
  await bounded(client, () => client.workflow.getHandle(workflowId).terminate(reason));
};

const bounded = <T>(client: Client, work: () => Promise<T>): Promise<T> =>
  client.withAbortSignal(AbortSignal.timeout(CALL_TIMEOUT_MS + 500), () =>
    client.withDeadline(Date.now() + CALL_TIMEOUT_MS, work),
  );

async function everyOne(client: Client, query: string): Promise<WorkflowExecutionInfo[]> {
  await bounded(client, () => client.workflow.count(query)); // says in time that nobody answers
  const found: WorkflowExecutionInfo[] = [];
  for await (const execution of client.workflow.list({ query, pageSize: 1_000 })) found.push(execution);
  return found;
}

/** Started again under the same id after the restore: any of them may have told the end. */
async function dispatchTrace(
  client: Client,
  dispatchId: string,
  executions: readonly WorkflowExecutionInfo[],
): Promise<DispatchTrace> {
  let endedAs: string | null = null;
  for (const { workflowId, runId, status } of executions) {
    if (status.name !== 'COMPLETED') continue;
    const said = (await bounded(client, () =>
      client.workflow.getHandle(workflowId, runId, { followRuns: false }).result(),
    )) as DispatchStatus; // what the workflow `dispatch` returns
    endedAs ??= said.state;
  }
  const workflowId = dispatchWorkflowId(dispatchId);
  const first = executions.find(({ memo }) => memo?.['accepted'] !== undefined) ?? executions[0];
  const described = await bounded(client, () => client.workflow.getHandle(workflowId, first?.runId).describe());
  const summary = (await described.staticSummary()) ?? '';
  return { dispatchId, workflowId, summary, accepted: described.memo?.['accepted'] ?? null, endedAs };
}

async function runTrace(client: Client, found: WorkflowExecutionInfo): Promise<RunTrace> {
  const { workflowId, runId, startTime, typedSearchAttributes: attributes } = found;
  const { jobName, input, ...given } = await inputOf(client, workflowId, runId);
  return {
    ...{ workflowId, jobName, input: input ?? {}, runId: given.runId ?? null },
    scheduleId: attributes.get(SCHEDULED_BY) ?? null,
    nominalAtMs: attributes.get(SCHEDULED_FOR)?.getTime() ?? null,
    startedAtMs: startTime.getTime(),
    end: await endOf(client, found),
  };
}

async function inputOf(client: Client, workflowId: string, runId: string): Promise<JobInput> {
  const { history } = await bounded(client, () =>
    client.workflowService.getWorkflowExecutionHistory({
      namespace: client.options.namespace,
      execution: { workflowId, runId },
      maximumPageSize: 1,
    }),
  );
  const [payload] = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  if (payload === undefined) throw new Error(`Temporal does not say how ${workflowId} was started`);
  return defaultPayloadConverter.fromPayload<JobInput>(payload);
}

async function endOf(client: Client, { workflowId, runId, status, closeTime }: WorkflowExecutionInfo) {
  const atMs = closeTime?.getTime();
  if (atMs === undefined) return null;
  if (status.name !== 'COMPLETED') {
    const closed = closedAs(status.name);
    return closed === null ? null : { atMs, result: null, ...closed };
  }
  const { state, result } = (await bounded(client, () =>
    client.workflow.getHandle(workflowId, runId, { followRuns: false }).result(),
  )) as JobOutcome; // what the workflow `job` returns
  return { atMs, state, result, failure: null };
}
