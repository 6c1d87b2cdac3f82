import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { TemporalConnection } from '../../temporal/client-connection';
import { controlLoopId, statusQuery } from '../../workflows/messages';
import type { WorkflowPort } from '../ports';
import { withinTime } from '../within-time';
import { createAvailability } from './availability';
import { isBusy, temporalFailureOf } from './temporal-failure';

/** What `temporal/workflow-starter.ts` offers: starts and signals, each bounded. */
export interface WorkflowStarterPort {
  startControlLoop(rootFeederId: string): Promise<void>;
  startDispatch(
    dispatchId: string,
    rootFeederId: string,
    summary?: string,
    accepted?: Readonly<Record<string, unknown>>,
  ): Promise<void>;
  wakeControlLoop(rootFeederId: string): Promise<void>;
  stopControlLoop(rootFeederId: string): Promise<void>;
  tellDispatch(dispatchId: string): Promise<void>;
}

/** What `temporal/job-run-starter.ts` offers. */
export interface JobRunStarterPort {
  startJobRun(run: { readonly runId: string; readonly jobName: string; readonly input: unknown }): Promise<unknown>;
  cancelJobRun(workflowId: string): Promise<void>;
  terminateJobRun(workflowId: string, reason: string): Promise<void>;
}

/** A person waits: a query without a worker to answer it would wait for ever. */
const QUERY_MS = 1_500;
/** The client's deadline is not sharp. Ours is. */
const MESSAGE_MS = 2_500;
/** A workflow takes no messages for the moment in which its run ends or goes over into the next. */
const PAUSES_MS = [50, 150, 400];

/** The API's side of Temporal: every call ends in time, and every failure has a code of ours. */
export function createWorkflowGateway(
  connection: TemporalConnection,
  client: Client,
  starter: WorkflowStarterPort & JobRunStarterPort,
): WorkflowPort {
  const availability = createAvailability(connection, () => performance.now());
  const message = async (send: () => Promise<void>): Promise<void> => {
    try {
      await withinTime(untilTaken(send), MESSAGE_MS);
    } catch (error) {
      throw temporalFailureOf(error);
    }
  };
  return {
    unavailable: availability,
    loopStatus: async (rootFeederId) => {
      const ask = () => client.workflow.getHandle(controlLoopId(rootFeederId)).query(statusQuery);
      try {
        const bounded = client.withAbortSignal(AbortSignal.timeout(QUERY_MS), () =>
          client.withDeadline(Date.now() + QUERY_MS, ask),
        );
        return await withinTime(bounded, QUERY_MS + 100);
      } catch (error) {
        throw temporalFailureOf(error);
      }
    },
    wakeControlLoop: (rootFeederId) => message(() => starter.wakeControlLoop(rootFeederId)),
    stopControlLoop: (rootFeederId) => message(() => starter.stopControlLoop(rootFeederId)),
    startControlLoop: (rootFeederId) => message(() => starter.startControlLoop(rootFeederId)),
    startDispatch: (dispatchId, rootFeederId, summary, accepted) =>
      message(() => starter.startDispatch(dispatchId, rootFeederId, summary, accepted)),
    tellDispatch: (dispatchId) => message(() => starter.tellDispatch(dispatchId)),
    startJobRun: (run) =>
      message(async () => {
        await starter.startJobRun(run);
      }),
    cancelJobRun: (workflowId) => message(() => starter.cancelJobRun(workflowId)),
    terminateJobRun: (workflowId, reason) => message(() => starter.terminateJobRun(workflowId, reason)),
  };
}

async function untilTaken(send: () => Promise<void>): Promise<void> {
  for (const pauseMs of PAUSES_MS) {
    try {
      await send();
      return;
    } catch (error) {
      if (!isBusy(error)) throw error;
    }
    await sleep(pauseMs);
  }
  await send();
}
