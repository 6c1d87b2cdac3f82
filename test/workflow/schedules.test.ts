import { listPauses } from '../../db/schedule-pauses';
import { listSpans } from '../../db/schedules';
import { loadJobs } from '../../jobs/runner/load-jobs';
import { deployedSchedules, nextTicks } from '../../jobs/runner/schedules';
import { createScheduleControl } from '../../temporal/schedule-control';
import { ensureSchedules, type JobScheduleWanted } from '../../temporal/schedules';
import { keepSchedules } from '../../worker/schedule-keeper';
import { createScheduleRecords } from '../../worker/schedule-records';
import { SUPERVISOR_SCHEDULE_ID } from '../../workflows/messages';
import { createTestDatabase, createTestNamespace, eventually, testLog, type TestNamespace } from '../support/servers';

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

describe('the times of a schedule', () => {
  const declared = deployedSchedules(loadJobs(), 'production').map(({ cron }) => cron);
  const crons = [
    ...new Set([...declared, '*/7 * * * *', '0 4 1 1,4,7,10 *', '0 0 29 2 *', '30 2 * * 0', '5,35 1-5/2 * * *']),
  ];
  const named = crons.map((cron, index) => ({ ...nightly, scheduleId: `job-times-${String(index)}`, cron }));

  it('are the same to Temporal as to the audit: UTC, without any summer time', async () => {
    await ensureSchedules(temporal.client, named);
    const control = createScheduleControl(temporal.client);
    for (const { scheduleId, cron } of named) {
      const told = await eventually(async () => {
        const described = await control.describe(scheduleId);
        expect(described?.nextAt).toHaveLength(10);
        return described!.nextAt.map((time) => time.toISOString());
      });
      const first = Date.parse(told[0]!);
      expect([cron, nextTicks(cron, first - 1, 10).map((tick) => new Date(tick).toISOString())]).toEqual([cron, told]);
    }
  });
});

describe('the keeper of schedules', () => {
  it('writes down since when times hold, and makes a schedule that has gone again as paused as it was', async () => {
    const database = await createTestDatabase();
    const { client } = temporal;
    const { db } = database;
    let stop: () => void = () => undefined;
    const keep = (jobs: readonly JobScheduleWanted[]): void => {
      stop();
      stop = keepSchedules({
        ...{ client, jobs, log: testLog },
        prepare: () => Promise.resolve(),
        records: createScheduleRecords(db),
      });
    };
    try {
      keep([nightly]);
      const handle = client.schedule.getHandle('job-nightly');
      await eventually(() => handle.describe());
      await handle.pause('the vault is full');
      keep([nightly]);
      await eventually(async () => expect(await listPauses(db, 'job-nightly', 0)).toHaveLength(1));

      await handle.delete(); // as on an empty server
      keep([nightly]);
      await eventually(async () => {
        expect((await handle.describe()).state).toMatchObject({ paused: true, note: 'the vault is full' });
      });

      keep([{ ...nightly, cron: '45 2 * * *' }]);
      await eventually(async () => expect(await listSpans(db, 0, 'job-nightly')).toHaveLength(2));
      const { info, state } = await eventually(async () => {
        const described = await handle.describe();
        expect(described.info.lastUpdatedAt).toBeDefined(); // written down before Temporal is told
        return described;
      });
      const spans = await listSpans(db, 0, 'job-nightly');
      const changedAtMs = spans[1]!.fromMs;
      expect(spans).toMatchObject([
        { cron: '15 2 * * *', untilMs: changedAtMs },
        { cron: '45 2 * * *', fromMs: changedAtMs, untilMs: null },
      ]);
      // By Temporal's clock; it may have been told more in the same moment, as by the keeper before.
      expect(Math.abs(info.lastUpdatedAt!.getTime() - changedAtMs)).toBeLessThan(5_000);
      expect(state.paused).toBe(true);
      expect(await listPauses(db, 'job-nightly', 0)).toMatchObject([{ untilMs: null, note: 'the vault is full' }]);
    } finally {
      stop();
      await database.drop();
    }
  });
});
