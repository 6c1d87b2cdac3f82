import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { JOB_CANCELLED, type FinishedState, type JobRunFailure } from '../domain/job-run';

const CALL_TIMEOUT_MS = 3_000;

interface Closed {
  readonly state: FinishedState;
  readonly failure: JobRunFailure | null;
}

/**
 * How a run's workflow has ended, for runs that could not record it themselves; null while it is open. One that Temporal
 * does not know (its database was lost, or it forgot the run) has ended too.
 *
 * Rejects when Temporal cannot say.
 */
export async function closedWorkflow(client: Client, workflowId: string): Promise<Closed | null> {
  try {
    const { status } = await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, () =>
      client.workflow.getHandle(workflowId).describe(),
    );
    return closedAs(status.name);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError)
      return failed('TEMPORAL_LOST_IT', 'Temporal knows nothing of it any more');
    throw error;
  }
}

/** Of what did not complete; null while it goes on. */
export function closedAs(status: string): Closed | null {
  switch (status) {
    case 'RUNNING':
    case 'PAUSED':
    case 'CONTINUED_AS_NEW':
      return null;
    case 'CANCELLED':
      return { state: 'cancelled', failure: { code: JOB_CANCELLED, message: 'cancelled in Temporal' } };
    case 'TERMINATED':
      return { state: 'terminated', failure: { code: 'JOB_TERMINATED', message: 'terminated in Temporal' } };
    default:
      return failed('WORKFLOW_CLOSED', `its workflow ended without recording it (${status.toLowerCase()})`);
  }
}

const failed = (code: string, message: string): Closed => ({ state: 'failed', failure: { code, message } });
