import { createHash } from 'node:crypto';
import {
  ScheduleAlreadyRunning,
  ScheduleOverlapPolicy,
  type Client,
  type ScheduleOptions,
  type ScheduleOptionsStartWorkflowAction,
  type Workflow,
} from '@temporalio/client';
import { SUPERVISOR_SCHEDULE_ID, TASK_QUEUES } from '../workflows/messages';

type Wanted = ScheduleOptions<ScheduleOptionsStartWorkflowAction<Workflow>>;

/** Overlap and catch-up are explicit everywhere: the server's own catch-up window is a year. */
const WANTED: readonly Wanted[] = [
  {
    scheduleId: SUPERVISOR_SCHEDULE_ID,
    spec: { intervals: [{ every: '1m' }] },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1m', pauseOnFailure: false },
    action: {
      type: 'startWorkflow',
      workflowType: 'superviseControlLoops',
      workflowId: SUPERVISOR_SCHEDULE_ID,
      taskQueue: TASK_QUEUES.control,
      args: [],
      workflowExecutionTimeout: '1m',
    },
  },
  {
    scheduleId: 'maintain-time-series',
    spec: { intervals: [{ every: '1h', offset: '7m' }] },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1h', pauseOnFailure: false },
    action: {
      type: 'startWorkflow',
      workflowType: 'maintainTimeSeries',
      workflowId: 'maintain-time-series',
      taskQueue: TASK_QUEUES.jobs,
      args: [],
      workflowExecutionTimeout: '55m',
    },
  },
];

/**
 * Makes each schedule be there and be as declared; an operator's pause survives. Drift is told by a hash of our own
 * declaration, kept in the action's memo, because the server normalises what it stores.
 *
 * @returns the ids that were created or updated now.
 */
export async function ensureSchedules(client: Client): Promise<string[]> {
  const touched: string[] = [];
  for (const wanted of WANTED) {
    if ((await ensureSchedule(client, withHash(wanted))) !== 'same') touched.push(wanted.scheduleId);
  }
  return touched;
}

/** Runs the supervisor now: at start-up, and when a feeder was added. */
export const triggerSupervisor = (client: Client): Promise<void> =>
  client.schedule.getHandle(SUPERVISOR_SCHEDULE_ID).trigger(ScheduleOverlapPolicy.SKIP);

function withHash(wanted: Wanted): Wanted & { hash: string } {
  const { spec, policies, action } = wanted;
  const hash = createHash('sha256').update(JSON.stringify({ spec, policies, action })).digest('hex');
  return { ...wanted, action: { ...action, memo: { declaredAs: hash } }, hash };
}

async function ensureSchedule(
  client: Client,
  { hash, ...wanted }: Wanted & { hash: string },
): Promise<'created' | 'same' | 'updated'> {
  try {
    await client.schedule.create(wanted);
    return 'created';
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
  const handle = client.schedule.getHandle(wanted.scheduleId);
  const { action } = await handle.describe();
  if (action.memo?.['declaredAs'] === hash) return 'same';
  await handle.update((previous) => ({
    ...wanted,
    state: {
      paused: previous.state.paused,
      ...(previous.state.note === undefined ? {} : { note: previous.state.note }),
    },
  }));
  return 'updated';
}
