import { setTimeout as sleep } from 'node:timers/promises';
import { ScheduleNotFoundError, ScheduleOverlapPolicy, type Client } from '@temporalio/client';

const CALL_TIMEOUT_MS = 3_000;
/** Temporal says by itself which run a trigger has made, a moment later, ms. */
const TRIGGERED_WITHIN_MS = 3_000;
const LOOK_EVERY_MS = 100;

export interface ScheduleState {
  readonly paused: boolean;
  readonly note: string | null;
  /** Since when it is what it is, by Temporal's clock; a pause is no change of it. */
  readonly declaredAt: Date;
  readonly nextAt: readonly Date[];
}

/** People's hands on schedules. null, or false: there is no such schedule in Temporal. */
export const createScheduleControl = (client: Client) => {
  const bounded = <T>(work: () => Promise<T>): Promise<T> => client.withDeadline(Date.now() + CALL_TIMEOUT_MS, work);
  const handleOf = (scheduleId: string) => client.schedule.getHandle(scheduleId);
  return {
    describe: (scheduleId: string): Promise<ScheduleState | null> =>
      bounded(() =>
        orNull(async () => {
          const { state, info } = await handleOf(scheduleId).describe();
          const declaredAt = info.lastUpdatedAt ?? info.createdAt;
          return { paused: state.paused, note: state.note ?? null, declaredAt, nextAt: info.nextActionTimes };
        }),
      ),

    pause: (scheduleId: string, note: string): Promise<boolean> =>
      done(bounded, () => handleOf(scheduleId).pause(note)),
    resume: (scheduleId: string, note: string): Promise<boolean> =>
      done(bounded, () => handleOf(scheduleId).unpause(note)),

    /**
     * Runs it now unless its last run still goes on; the id of the workflow it started, or `skipped` when it started none.
     */
    async trigger(scheduleId: string): Promise<{ readonly workflowId: string } | 'skipped' | null> {
      return orNull(async () => {
        const handle = handleOf(scheduleId);
        const last = (await bounded(() => handle.describe())).info;
        const before = new Set(last.recentActions.map(({ action }) => action.workflow.workflowId));
        await bounded(() => handle.trigger(ScheduleOverlapPolicy.SKIP));
        const until = Date.now() + TRIGGERED_WITHIN_MS;
        while (Date.now() < until) {
          const { info } = await bounded(() => handle.describe());
          const made = info.recentActions.find(({ action }) => !before.has(action.workflow.workflowId));
          if (made !== undefined) return { workflowId: made.action.workflow.workflowId };
          if (info.numActionsSkippedOverlap > last.numActionsSkippedOverlap) return 'skipped';
          await sleep(LOOK_EVERY_MS);
        }
        return 'skipped';
      });
    },
  };
};

const done = async (bounded: <T>(work: () => Promise<T>) => Promise<T>, work: () => Promise<void>): Promise<boolean> =>
  (await bounded(() =>
    orNull(async () => {
      await work();
      return true;
    }),
  )) ?? false;

async function orNull<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return null;
    throw error;
  }
}
