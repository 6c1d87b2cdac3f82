import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy, type Client } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import {
  controlLoopId,
  dispatchWorkflowId,
  FEEDER_SEARCH_ATTRIBUTE,
  startSignal,
  stopSignal,
  TASK_QUEUES,
  wakeSignal,
  dispatchChangedSignal,
} from '../workflows/messages';

const feederKey = defineSearchAttributeKey(FEEDER_SEARCH_ATTRIBUTE, 'KEYWORD');

/** Longest wait for one call to the server, ms; the call's own abort is the hard stop. */
const CALL_TIMEOUT_MS = 3_000;
/** A worker that died in a workflow task costs this long. */
const WORKFLOW_TASK_TIMEOUT = '5s';

const RUNNING = `ExecutionStatus = 'Running' and WorkflowType in ('controlLoop', 'dispatch', 'job')`;

const START_ONCE = {
  taskQueue: TASK_QUEUES.control,
  workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
  workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
  workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
} as const;

/**
 * Starts our workflows and sends them their messages. The workflow id is the lock: starting one that runs does nothing.
 * Every call is bounded; it rejects with the client's own errors.
 */
export const createWorkflowStarter = (client: Client) => {
  const bounded = <T>(work: () => Promise<T>): Promise<T> =>
    client.withAbortSignal(AbortSignal.timeout(CALL_TIMEOUT_MS + 500), () =>
      client.withDeadline(Date.now() + CALL_TIMEOUT_MS, work),
    );
  return {
    async running(): Promise<ReadonlySet<string>> {
      const ids = new Set<string>();
      for await (const { workflowId } of client.workflow.list({ query: RUNNING, pageSize: 1_000 })) ids.add(workflowId);
      return ids;
    },

    async startControlLoop(rootFeederId: string): Promise<void> {
      await bounded(() =>
        client.workflow.signalWithStart('controlLoop', {
          ...START_ONCE,
          signal: startSignal,
          workflowId: controlLoopId(rootFeederId),
          args: [{ rootFeederId }],
          typedSearchAttributes: [{ key: feederKey, value: rootFeederId }],
          staticSummary: `control loop of ${rootFeederId}`,
        }),
      );
    },

    /** `accepted` is kept in Temporal so that a database restored from before can have the dispatch again. */
    async startDispatch(
      dispatchId: string,
      rootFeederId: string,
      summary?: string,
      accepted?: Readonly<Record<string, unknown>>,
    ): Promise<void> {
      await bounded(() =>
        client.workflow.start('dispatch', {
          ...START_ONCE,
          workflowId: dispatchWorkflowId(dispatchId),
          args: [{ dispatchId }],
          typedSearchAttributes: [{ key: feederKey, value: rootFeederId }],
          ...(summary === undefined ? {} : { staticSummary: summary.slice(0, 200) }),
          ...(accepted === undefined ? {} : { memo: { accepted } }),
        }),
      );
    },

    wakeControlLoop: (rootFeederId: string): Promise<void> =>
      bounded(() => client.workflow.getHandle(controlLoopId(rootFeederId)).signal(wakeSignal)),

    stopControlLoop: (rootFeederId: string): Promise<void> =>
      bounded(() => client.workflow.getHandle(controlLoopId(rootFeederId)).signal(stopSignal)),

    tellDispatch: (dispatchId: string): Promise<void> =>
      bounded(() => client.workflow.getHandle(dispatchWorkflowId(dispatchId)).signal(dispatchChangedSignal)),
  };
};

export type WorkflowStarter = ReturnType<typeof createWorkflowStarter>;
