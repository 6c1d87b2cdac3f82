import { createHash } from 'node:crypto';
import {
  ScheduleAlreadyRunning,
  ScheduleOverlapPolicy,
  type Client,
  type ScheduleOptions,
  type ScheduleOptionsStartWorkflowAction,
  type Workflow,
} from '@temporalio/client';
import { JOB_SCHEDULE_PREFIX, jobWorkflowId, SUPERVISOR_SCHEDULE_ID, TASK_QUEUES } from '../workflows/messages';

type Wanted = ScheduleOptions<ScheduleOptionsStartWorkflowAction<Workflow>>;

/** A job's schedule; cron has five fields (six with seconds first), UTC. */
export interface JobScheduleWanted {
  readonly scheduleId: string;
  readonly jobName: string;
  readonly cron: string;
  readonly overlap: 'skip' | 'buffer-one';
  readonly catchUpSeconds: number;
}

/** Overlap and catch-up are explicit everywhere: the server's own catch-up window is a year. */
const SUPERVISOR: Wanted = {
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
};

const OVERLAP = { skip: ScheduleOverlapPolicy.SKIP, 'buffer-one': ScheduleOverlapPolicy.BUFFER_ONE } as const;

const jobSchedule = ({ scheduleId, jobName, cron, overlap, catchUpSeconds }: JobScheduleWanted): Wanted => ({
  scheduleId,
  // Temporal reads six fields as five and a year, seven as seconds, five and a year.
  spec: { cronExpressions: [cron.split(' ').length === 6 ? `${cron} *` : cron] },
  policies: { overlap: OVERLAP[overlap], catchupWindow: catchUpSeconds * 1_000, pauseOnFailure: false },
  action: {
    type: 'startWorkflow',
    workflowType: 'job',
    workflowId: jobWorkflowId(jobName, 'scheduled'),
    taskQueue: TASK_QUEUES.jobs,
    args: [{ jobName, input: {} }],
  },
});

/**
 * Makes each schedule be there and be as declared; an operator's pause survives. Drift is told by a hash of our own
 * declaration, kept in the action's memo, because the server normalises what it stores.
 *
 * @param pauses why those are paused that are, by their ids: one that has gone (an empty Temporal server) is made paused.
 * @returns the ids that were created or updated now.
 */
export async function ensureSchedules(
  client: Client,
  jobs: readonly JobScheduleWanted[] = [],
  pauses: ReadonlyMap<string, string> = new Map(),
): Promise<string[]> {
  const touched: string[] = [];
  for (const wanted of [SUPERVISOR, ...jobs.map(jobSchedule)]) {
    const ensured = await ensureSchedule(client, withHash(wanted), pauses.get(wanted.scheduleId));
    if (ensured !== 'same') touched.push(wanted.scheduleId);
  }
  return [...touched, ...(await removeRetired(client, new Set(jobs.map(({ scheduleId }) => scheduleId))))];
}

/** What an earlier version declared and this one does not. */
const RETIRED = ['maintain-time-series'];

async function removeRetired(client: Client, wanted: ReadonlySet<string>): Promise<string[]> {
  const removed: string[] = [];
  for await (const { scheduleId } of client.schedule.list()) {
    const ours = scheduleId.startsWith(JOB_SCHEDULE_PREFIX) || RETIRED.includes(scheduleId);
    if (!ours || wanted.has(scheduleId)) continue;
    await client.schedule.getHandle(scheduleId).delete();
    removed.push(scheduleId);
  }
  return removed;
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
  pause?: string,
): Promise<'created' | 'same' | 'updated'> {
  try {
    await client.schedule.create(pause === undefined ? wanted : { ...wanted, state: { paused: true, note: pause } });
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
