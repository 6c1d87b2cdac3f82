import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
  WorkflowNotFoundError,
  type Client,
} from '@temporalio/client';
import { jobWorkflowId, TASK_QUEUES } from '../workflows/messages';

/** Longest wait for one call to the server, ms; the call's own abort is the hard stop. */
const CALL_TIMEOUT_MS = 3_000;

export interface JobRunStart {
  readonly runId: string;
  readonly jobName: string;
  readonly input: unknown;
}

/**
 * Starts runs of jobs and ends them. The run's id is in the workflow's: starting a run that goes on does nothing, and one
 * whose workflow is closed is never started again. Every call is bounded; it rejects with the client's own errors.
 */
export const createJobRunStarter = (client: Client) => {
  const bounded = <T>(work: () => Promise<T>): Promise<T> =>
    client.withAbortSignal(AbortSignal.timeout(CALL_TIMEOUT_MS + 500), () =>
      client.withDeadline(Date.now() + CALL_TIMEOUT_MS, work),
    );
  return {
    startJobRun: async ({ runId, jobName, input }: JobRunStart): Promise<'started' | 'closed'> => {
      try {
        await bounded(() =>
          client.workflow.start('job', {
            taskQueue: TASK_QUEUES.jobs,
            workflowId: jobWorkflowId(jobName, runId),
            args: [{ jobName, runId, input }],
            workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
            workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
            staticSummary: jobName,
          }),
        );
        return 'started';
      } catch (error) {
        if (error instanceof WorkflowExecutionAlreadyStartedError) return 'closed';
        throw error;
      }
    },

    /** Harmless when the workflow is closed, or was never there. */
    cancelJobRun: (workflowId: string): Promise<void> =>
      bounded(() => unlessGone(client.workflow.getHandle(workflowId).cancel())),

    /** Harmless when the workflow is closed, or was never there. */
    terminateJobRun: (workflowId: string, reason: string): Promise<void> =>
      bounded(() => unlessGone(client.workflow.getHandle(workflowId).terminate(reason))),
  };
};

async function unlessGone(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}
