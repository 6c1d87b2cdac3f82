import { WorkflowFailedError, WorkflowIdConflictPolicy, WorkflowIdReusePolicy, type Client } from '@temporalio/client';
import { ActivityFailure, ApplicationFailure, TimeoutFailure, TimeoutType } from '@temporalio/common';
import { DermsError, ERROR_CODES, type ErrorCode } from '../domain/errors';
import { copyBrokerStoreId, TASK_QUEUES, type CopyBrokerStoreInput } from '../workflows/messages';

const AGENT_WITHIN_SECONDS = 120;

/** Asks the agents beside brokers, by a workflow each: what is asked survives our own end, and is seen in Temporal UI. */
export const createBrokerAgents = (client: Client, agentWithinSeconds = AGENT_WITHIN_SECONDS) => ({
  /**
   * Has a broker's store copied by its agent; answers what the agent found. Asked again for the same run it joins the
   * copy that goes on, and cancels it when `signal` fires.
   *
   * @throws {DermsError} what the agent's copy failed of; `BROKER_STORE_UNAVAILABLE` when no agent took it.
   */
  async copyStore(broker: string, runId: string, signal: AbortSignal): Promise<unknown> {
    const input: CopyBrokerStoreInput = { broker, runId, agentWithinSeconds };
    const handle = await client.workflow.start('copyBrokerStore', {
      workflowId: copyBrokerStoreId(input),
      taskQueue: TASK_QUEUES.jobs,
      args: [input],
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      staticSummary: `copy of the store of broker ${broker}`,
    });
    const cancel = (): void => void handle.cancel().catch(() => undefined);
    signal.addEventListener('abort', cancel, { once: true });
    try {
      if (signal.aborted) cancel();
      return await handle.result();
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof WorkflowFailedError ? named(error, broker) : error;
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  },
});

/** Classes do not survive the trip; their codes do. */
function named(failure: WorkflowFailedError, broker: string): DermsError {
  const cause = failure.cause instanceof ActivityFailure ? failure.cause.cause : failure.cause;
  if (cause instanceof ApplicationFailure && isCode(cause.type)) {
    return new DermsError(cause.type, `broker ${broker}: ${cause.message}`, { cause: failure });
  }
  const isAway = cause instanceof TimeoutFailure && cause.timeoutType === TimeoutType.SCHEDULE_TO_START;
  const what = isAway ? 'no agent took the work in time; is it running?' : (cause?.message ?? failure.message);
  return new DermsError('BROKER_STORE_UNAVAILABLE', `broker ${broker}: ${what}`, { cause: failure });
}

const isCode = (type: string | null | undefined): type is ErrorCode => ERROR_CODES.some((code) => code === type);
