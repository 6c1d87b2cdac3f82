import { ensureSchedules } from '../../temporal/schedules';
import { SUPERVISOR_SCHEDULE_ID } from '../../workflows/messages';
import { createTestNamespace, eventually, type TestNamespace } from '../support/servers';

let temporal: TestNamespace;
beforeEach(async () => {
  temporal = await createTestNamespace();
});
afterEach(() => temporal.close());

const nightly = {
  scheduleId: 'job-nightly',
  jobName: 'nightly',
  cron: '15 2 * * *',
  overlap: 'skip',
  catchUpSeconds: 3_600,
} as const;

describe('ensureSchedules', () => {
  it('makes the schedules once and finds them the same afterwards', async () => {
    expect(await ensureSchedules(temporal.client, [nightly])).toEqual([SUPERVISOR_SCHEDULE_ID, 'job-nightly']);
    expect(await ensureSchedules(temporal.client, [nightly])).toEqual([]);
  });

  it('removes the schedule of a job that is no more, and leaves those of others alone', async () => {
    await ensureSchedules(temporal.client, [nightly]);
    await temporal.client.schedule.create({
      scheduleId: 'somebody-elses',
      spec: { intervals: [{ every: '1h' }] },
      action: { type: 'startWorkflow', workflowType: 'other', taskQueue: 'other' },
    });
    // The list of schedules lags behind.
    await eventually(async () => expect(await ensureSchedules(temporal.client)).toEqual(['job-nightly']));
    await temporal.client.schedule.getHandle('somebody-elses').describe();
  });

  it('brings a schedule that was changed by hand back to its declaration, and keeps an operator’s pause', async () => {
    await ensureSchedules(temporal.client);
    const handle = temporal.client.schedule.getHandle(SUPERVISOR_SCHEDULE_ID);
    await handle.pause('the grid is under repair');
    await handle.update((previous) => ({
      ...previous,
      spec: { intervals: [{ every: '1h' }] },
      action: { ...previous.action, memo: { declaredAs: 'by hand' } },
    }));
    expect(await ensureSchedules(temporal.client)).toEqual([SUPERVISOR_SCHEDULE_ID]);
    const { state, spec } = await handle.describe();
    expect(state).toMatchObject({ paused: true, note: 'the grid is under repair' });
    expect(spec.intervals?.[0]?.every).toBe(60_000);
  });
});
