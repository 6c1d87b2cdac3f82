import type { Client } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';

/** `TASK_QUEUE_TYPE_ACTIVITY` of Temporal's API. */
const ACTIVITY_QUEUE = 2;
/** `TASK_QUEUE_TYPE_WORKFLOW`, and the kinds of tasks by their names. */
const WORKFLOW_QUEUE = 1;
const QUEUE_KINDS = [
  { kind: 'workflow', type: WORKFLOW_QUEUE },
  { kind: 'activity', type: ACTIVITY_QUEUE },
] as const;
/** A poll lasts a minute at most: who has not come back after this is gone, ms. */
const POLLED_WITHIN_MS = 65_000;
const CALL_TIMEOUT_MS = 2_000;
const OPEN = `ExecutionStatus = 'Running' and WorkflowType = 'job'`;
const MOST_OPEN = 200;
const SCHEDULED_BY = defineSearchAttributeKey('TemporalScheduledById', 'KEYWORD');
const SCHEDULED_FOR = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME');

/** A run's workflow that Temporal has open. */
export interface OpenJobWorkflow {
  readonly workflowId: string;
  readonly startedAt: Date;
  readonly scheduleId: string | null;
  /** The tick it was made for; null when no schedule has made it. */
  readonly nominalAt: Date | null;
}

/** One half of a task queue. Tasks on their way to the worker that has the workflow in its cache are not in it. */
export interface QueueState {
  readonly kind: 'workflow' | 'activity';
  /** Tasks that nobody has taken; approximate. */
  readonly backlog: number;
  /** Of the oldest of them; 0 when there is none. */
  readonly backlogAgeSeconds: number;
  /** Workers that have asked for tasks within the last minute. */
  readonly pollers: number;
}

/** What Temporal knows of work that nobody has begun yet. Each call is bounded and rejects with the client's own errors. */
export const createJobQueues = (client: Client) => ({
  /** Workers that take steps from the queue. One that was killed counts for another minute. */
  async workersOf(queue: string): Promise<number> {
    const { pollers } = await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, () =>
      client.workflowService.describeTaskQueue({
        namespace: client.options.namespace,
        taskQueue: { name: queue },
        // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum is in a package that only tests have
        taskQueueType: ACTIVITY_QUEUE,
      }),
    );
    return pollers.filter(polledLately).length;
  },

  /** What waits in the queue, and who takes it; two questions at once. */
  async queueState(queue: string): Promise<readonly QueueState[]> {
    return Promise.all(
      QUEUE_KINDS.map(async ({ kind, type }) => {
        const { pollers, stats } = await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, () =>
          client.workflowService.describeTaskQueue({
            namespace: client.options.namespace,
            taskQueue: { name: queue },
            // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- as above
            taskQueueType: type,
            reportStats: true,
          }),
        );
        return {
          kind,
          backlog: Number(stats?.approximateBacklogCount ?? 0),
          backlogAgeSeconds: Number(stats?.approximateBacklogAge?.seconds ?? 0),
          pollers: pollers.filter(polledLately).length,
        };
      }),
    );
  },

  /** The newest 200 at most; may lag by a second or so. */
  async openRuns(): Promise<OpenJobWorkflow[]> {
    const open: OpenJobWorkflow[] = [];
    await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, async () => {
      for await (const found of client.workflow.list({ query: OPEN, pageSize: MOST_OPEN })) {
        const scheduleId = found.typedSearchAttributes.get(SCHEDULED_BY) ?? null;
        const nominalAt = found.typedSearchAttributes.get(SCHEDULED_FOR) ?? null;
        open.push({ workflowId: found.workflowId, startedAt: found.startTime, scheduleId, nominalAt });
        if (open.length >= MOST_OPEN) break;
      }
    });
    return open;
  },
});

const polledLately = ({ lastAccessTime }: { lastAccessTime?: { seconds?: unknown } | null }): boolean =>
  Number(lastAccessTime?.seconds ?? 0) * 1_000 >= Date.now() - POLLED_WITHIN_MS;
