import { Client, Connection } from '@temporalio/client';
import { temporal } from '@temporalio/proto';

const { EventType } = temporal.api.enums.v1;

/** What the histories of all runs of all loops and dispatches say about the workers that carried them. */
export interface WorkflowTasks {
  /** `control-loop/a: why`. */
  readonly failed: readonly string[];
  /** Workers by identity, and how many workflow tasks each has completed since that moment. */
  readonly completedBy: Readonly<Record<string, number>>;
}

export async function workflowTasksSince(address: string, sinceMs: number): Promise<WorkflowTasks> {
  const connection = await Connection.connect({ address });
  try {
    const client = new Client({ connection, namespace: 'derms' });
    const failed: string[] = [];
    const completedBy: Record<string, number> = {};
    for await (const { workflowId, runId } of client.workflow.list({
      query: `WorkflowType in ('controlLoop', 'dispatch')`,
    })) {
      const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      for (const event of events ?? []) {
        const { workflowTaskFailedEventAttributes: failure, workflowTaskCompletedEventAttributes: done } = event;
        if (event.eventType === EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED)
          failed.push(`${workflowId}: ${failure?.failure?.message ?? 'no reason'}`);
        const atMs = Number(event.eventTime?.seconds ?? 0) * 1000;
        if (typeof done?.identity === 'string' && atMs >= sinceMs)
          completedBy[done.identity] = (completedBy[done.identity] ?? 0) + 1;
      }
    }
    return { failed, completedBy };
  } finally {
    await connection.close();
  }
}
