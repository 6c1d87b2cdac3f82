import type { Client } from '@temporalio/client';
import { appendAudit } from '../../db/audit';
import { cancelJobRun, orderJobRun, terminateJobRun } from '../../db/job-orders';
import { findJobRun, knownJobRuns, listEvidence, listJobRuns, listRunEvents } from '../../db/job-run-reads';
import { createJobRunStore } from '../../db/job-runs';
import type { Database } from '../../db/pool';
import { databaseTime, listPauses, recordPause } from '../../db/schedule-pauses';
import { readTicks } from '../../db/schedule-ticks';
import { listSchedules } from '../../db/schedules';
import { DermsError } from '../../domain/errors';
import { scheduledRuns } from '../../jobs/runner/run-ids';
import { previousTicks } from '../../jobs/runner/schedules';
import { closedWorkflow } from '../../temporal/closed-workflow';
import { createJobQueues } from '../../temporal/job-queues';
import { createScheduleControl } from '../../temporal/schedule-control';
import { temporalFailureOf } from '../temporal/temporal-failure';
import { remembered } from './remembered';
import type { RunPort, ScheduleOrder, SchedulePort } from './ports';

/** What Temporal is asked for on behalf of readers is this old at most, ms. */
const FRESH_MS = 3_000;

/** What Temporal is asked about runs and schedules; a quarantined process has a stand-in. */
export interface JobsInTemporal {
  readonly queues: ReturnType<typeof createJobQueues>;
  readonly schedules: Pick<ReturnType<typeof createScheduleControl>, 'pause' | 'resume' | 'trigger'>;
  readonly closedAs: RunPort['closedAs'];
}

export const jobsInTemporal = (client: Client): JobsInTemporal => ({
  queues: createJobQueues(client),
  schedules: createScheduleControl(client),
  closedAs: (workflowId) => closedWorkflow(client, workflowId),
});

/** Runs as rows in Postgres and workflows in Temporal. */
export function createRunPort(db: Database, { queues, closedAs }: Omit<JobsInTemporal, 'schedules'>): RunPort {
  const { settle } = createJobRunStore(db);
  const workers = remembered(FRESH_MS, (queue: string) => orElse(queues.workersOf(queue), null));
  const open = remembered(FRESH_MS, () => orElse(queues.openRuns(), []));
  return {
    order: (order) => orderJobRun(db, order),
    cancel: (order) => cancelJobRun(db, order),
    terminate: (order) => terminateJobRun(db, order),
    list: (filter) => listJobRuns(db, filter),
    find: (runId) => findJobRun(db, runId),
    known: (runIds) => knownJobRuns(db, runIds),
    events: (runId, afterSeq, limit) => listRunEvents(db, runId, afterSeq, limit),
    evidence: (runId) => listEvidence(db, runId),
    settle,
    closedAs,
    workersOf: workers,
    openWorkflows: () => open('all'),
  };
}

/** Schedules: their rows and ticks in Postgres, their hands in Temporal. */
export function createSchedulePort(
  db: Database,
  { schedules: control, queues }: Omit<JobsInTemporal, 'closedAs'>,
): SchedulePort {
  const open = remembered(FRESH_MS, () => orElse(queues.openRuns(), []));
  /** In Temporal, between its two entries: what fails after it, the schedule keeper sees and writes down. */
  const change = async (paused: boolean, { scheduleId, reason, actor }: ScheduleOrder): Promise<void> => {
    const note = `${actor.user}: ${reason}`;
    const act = { action: paused ? 'schedule.pause' : 'schedule.resume', subject: scheduleId, detail: { reason } };
    await appendAudit(db, actor, { ...act, outcome: 'intended' });
    const there = await named(() => (paused ? control.pause(scheduleId, note) : control.resume(scheduleId, note)));
    if (!there) throw noSchedule(scheduleId);
    await db.transaction(async (tx) => {
      await recordPause(tx, { scheduleId, paused, note, seenAt: await databaseTime(tx) });
      await appendAudit(tx, actor, { ...act, outcome: 'done' });
    });
  };
  return {
    list: () => listSchedules(db),
    ticks: async (schedule, limit) => {
      const nowMs = Date.now();
      return readTicks(db, schedule, { previousTicks, open: scheduledRuns(await open('all')), nowMs, limit });
    },
    pauses: (scheduleId, sinceMs) => listPauses(db, scheduleId, sinceMs),
    pause: (order) => change(true, order),
    resume: (order) => change(false, order),
    trigger: async ({ scheduleId, actor }) => {
      const act = { action: 'schedule.trigger', subject: scheduleId, detail: {} };
      await appendAudit(db, actor, { ...act, outcome: 'intended' });
      const triggered = await named(() => control.trigger(scheduleId));
      if (triggered === null) throw noSchedule(scheduleId);
      const detail = triggered === 'skipped' ? { started: null } : { started: triggered.workflowId };
      await appendAudit(db, actor, { ...act, outcome: 'done', detail });
      return triggered;
    },
  };
}

const noSchedule = (scheduleId: string): DermsError =>
  new DermsError('SCHEDULE_NOT_FOUND', `Temporal has no schedule ${scheduleId}: a control worker makes it.`);

async function named<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw temporalFailureOf(error);
  }
}

async function orElse<T, Otherwise>(call: Promise<T>, otherwise: Otherwise): Promise<T | Otherwise> {
  try {
    return await call;
  } catch {
    return otherwise; // Temporal being away is told by health; readers get what there is
  }
}
