import { appendAudit } from '../db/audit';
import type { Database } from '../db/pool';
import { databaseTime, openPauses, recordPause } from '../db/schedule-pauses';
import { declareSchedules, takeEffect } from '../db/schedules';
import { recordTick } from '../db/tick-audit';
import { nominalTicks } from '../jobs/runner/schedules';
import type { ScheduleState } from '../temporal/schedule-control';
import type { JobScheduleWanted } from '../temporal/schedules';
import { SUPERVISOR_SCHEDULE_ID } from '../workflows/messages';

/** What Postgres keeps of the schedules, apart from their runs. */
export interface ScheduleRecords {
  /** Makes the rows be as the schedules are declared; returns why those are paused that are, by their ids. */
  declare(jobs: readonly JobScheduleWanted[]): Promise<ReadonlyMap<string, string>>;
  /** Looks at a schedule, and writes down since when it is as declared, and what was decided elsewhere (Temporal UI). */
  observe(scheduleId: string, look: () => Promise<ScheduleState | null>): Promise<void>;
}

/** As `temporal/schedules.ts` declares it to Temporal: each minute, one at a time, caught up with for a minute. */
const SUPERVISOR = {
  scheduleId: SUPERVISOR_SCHEDULE_ID,
  jobName: null,
  cron: '* * * * *',
  overlap: 'skip',
  catchUpSeconds: 60,
} as const;

const IN_TEMPORAL = { user: 'temporal', role: 'system', requestId: 'schedule-keeper', address: '-' };

export const createScheduleRecords = (db: Database): ScheduleRecords => ({
  async declare(jobs) {
    await declareSchedules(db, [SUPERVISOR, ...jobs]);
    return openPauses(db);
  },

  async observe(scheduleId, look) {
    const seenAt = await databaseTime(db);
    const state = await look();
    if (state === null) return;
    await takeEffect(db, scheduleId, state.declaredAt.getTime());
    const { paused, note } = state;
    await db.transaction(async (tx) => {
      const text = note ?? 'without a note';
      if (!(await recordPause(tx, { scheduleId, paused, note: text, seenAt }))) return;
      const action = paused ? 'schedule.pause' : 'schedule.resume';
      await appendAudit(tx, IN_TEMPORAL, { action, subject: scheduleId, outcome: 'done', detail: { note: text } });
    });
  },
});

/** Temporal ends the ids of what a schedule starts with the tick: `supervise-control-loops-2026-05-01T12:00:00Z`. */
export async function recordSupervisorTick(db: Database, workflowId: string, atMs: number): Promise<void> {
  const nominalAtMs = Date.parse(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.exec(workflowId)?.[0] ?? '');
  if (Number.isNaN(nominalAtMs)) return;
  // One that was triggered is of no tick.
  if (nominalTicks(SUPERVISOR.cron, nominalAtMs - 1, nominalAtMs).length === 0) return;
  await recordTick(db, { scheduleId: SUPERVISOR_SCHEDULE_ID, nominalAtMs, atMs });
}
