import { appendAudit } from '../db/audit';
import type { Database } from '../db/pool';
import { declareSchedules, recordPause } from '../db/schedules';
import { auditSchedule, recordTick } from '../db/tick-audit';
import { nominalTicks } from '../jobs/runner/schedules';
import type { JobScheduleWanted } from '../temporal/schedules';
import { SUPERVISOR_SCHEDULE_ID } from '../workflows/messages';

/** What Postgres keeps of the schedules, apart from their runs. */
export interface ScheduleRecords {
  /** Makes the rows be as the schedules are declared. */
  declare(jobs: readonly JobScheduleWanted[]): Promise<void>;
  /** A schedule was seen paused, or going on; what was decided elsewhere (Temporal UI) is written down. */
  observe(seen: { readonly scheduleId: string; readonly paused: boolean; readonly note: string | null }): Promise<void>;
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
  declare: (jobs) =>
    declareSchedules(db, [SUPERVISOR, ...jobs], async (tx, was) => {
      await auditSchedule(tx, was, nominalTicks, Date.now());
    }),

  observe: ({ scheduleId, paused, note }) =>
    db.transaction(async (tx) => {
      const text = note ?? 'without a note';
      if (!(await recordPause(tx, { scheduleId, paused, note: text }))) return;
      const action = paused ? 'schedule.pause' : 'schedule.resume';
      await appendAudit(tx, IN_TEMPORAL, { action, subject: scheduleId, outcome: 'done', detail: { note: text } });
    }),
});

/** Temporal ends the ids of what a schedule starts with the tick: `supervise-control-loops-2026-05-01T12:00:00Z`. */
export async function recordSupervisorTick(db: Database, workflowId: string, atMs: number): Promise<void> {
  const nominalAtMs = Date.parse(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.exec(workflowId)?.[0] ?? '');
  if (Number.isNaN(nominalAtMs)) return;
  // One that was triggered is of no tick.
  if (nominalTicks(SUPERVISOR.cron, nominalAtMs - 1, nominalAtMs).length === 0) return;
  await recordTick(db, { scheduleId: SUPERVISOR_SCHEDULE_ID, nominalAtMs, atMs });
}
