import type { Client } from '@temporalio/client';
import type { Logger } from '../observability/logger';
import { createScheduleControl } from '../temporal/schedule-control';
import { ensureSchedules, triggerSupervisor, type JobScheduleWanted } from '../temporal/schedules';
import { SUPERVISOR_SCHEDULE_ID } from '../workflows/messages';
import type { ScheduleRecords } from './schedule-records';

/** How often we look whether the schedules are there: an empty Temporal server is filled again within this, ms. */
const LOOK_EVERY_MS = 10_000;
const CALL_TIMEOUT_MS = 5_000;

export interface ScheduleKeeping {
  readonly client: Client;
  /** Makes what an empty Temporal server lacks besides schedules. */
  readonly prepare: () => Promise<void>;
  readonly jobs: readonly JobScheduleWanted[];
  readonly records: ScheduleRecords;
  readonly log: Logger;
}

/**
 * Makes the schedules at start-up and whenever they have gone, and runs the supervisor then, so that loops and open
 * dispatches come back with an empty Temporal server. What it declares, and which schedules it sees paused, is written
 * down: that is what every tick is held against. Returns what stops it.
 */
export function keepSchedules({ client, prepare, jobs, records, log }: ScheduleKeeping): () => void {
  let trigger = true;
  let reported = false;
  const control = createScheduleControl(client);
  const look = async (): Promise<void> => {
    try {
      await prepare();
      const pauses = await records.declare(jobs); // before Temporal makes its first tick
      await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, async () => {
        const touched = await ensureSchedules(client, jobs, pauses);
        if (touched.length > 0) log.info({ schedules: touched }, 'schedules made or updated');
        if (trigger || touched.length > 0) await triggerSupervisor(client);
      });
      for (const scheduleId of [SUPERVISOR_SCHEDULE_ID, ...jobs.map((job) => job.scheduleId)])
        await records.observe(scheduleId, () => control.describe(scheduleId));
      trigger = false;
      reported = false;
    } catch (err) {
      if (!reported) log.warn({ err }, 'the schedules could not be checked');
      reported = true;
      trigger = true;
    } finally {
      if (!stopped) timer = setTimeout(() => void look(), trigger ? 1_000 : LOOK_EVERY_MS);
    }
  };
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  void look();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
