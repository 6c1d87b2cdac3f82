import { randomUUID } from 'node:crypto';
import { readJobFigures } from '../../../db/job-figures';
import { createJobRunStore } from '../../../db/job-runs';
import { databaseTime, listPauses, openPauses, recordPause } from '../../../db/schedule-pauses';
import { readTicks } from '../../../db/schedule-ticks';
import { declareSchedules, listSchedules, listSpans, takeEffect, type ScheduleDeclared } from '../../../db/schedules';
import { auditTicks, recordTick } from '../../../db/tick-audit';
import type { OpenScheduledRun } from '../../../db/tick-judgement';
import { nominalTicks, previousTicks } from '../../../jobs/runner/schedules';
import { createTestDatabase, type TestDatabase } from '../../support/servers';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const MINUTE_MS = 60_000;
/** Midnight; what happens is told in minutes after it. */
const MIDNIGHT = Date.parse('2026-05-01T00:00:00Z');
const at = (minute: number): number => MIDNIGHT + minute * MINUTE_MS;

const example = (given: Partial<ScheduleDeclared> = {}): ScheduleDeclared => ({
  scheduleId: 'job-example',
  jobName: 'example',
  cron: '*/10 * * * *',
  overlap: 'skip',
  catchUpSeconds: 900,
  ...given,
});

/** As if it had been declared just after midnight. */
async function declare(given: Partial<ScheduleDeclared> = {}): Promise<void> {
  await declareSchedules(database.db, [example(given)]);
  await database.db.query('update schedules set declared_at = $1, audited_until = $1', [new Date(at(0.5))]);
  await database.db.query('update schedule_spans set from_at = $1', [new Date(at(0.5))]);
}

/** A run that the schedule has made; minutes after midnight. */
async function aRun(
  nominal: number,
  { made = nominal, began = made, ended = began + 1 }: { made?: number; began?: number; ended?: number | null } = {},
): Promise<string> {
  const runId = randomUUID();
  const store = createJobRunStore(database.db);
  await store.claim({
    ...{ runId, jobName: 'example', workflowId: `job/example/${runId}`, origin: 'schedule', input: {}, slots: null },
    ...{ scheduleId: 'job-example', nominalAtMs: at(nominal), requestedAtMs: at(made) },
  });
  await database.db.query('update job_runs set started_at = $2 where run_id = $1', [runId, new Date(at(began))]);
  if (ended === null) return runId;
  await store.finish({ runId, state: 'succeeded', failure: null, result: null });
  await database.db.query('update job_runs set finished_at = $2 where run_id = $1', [runId, new Date(at(ended))]);
  return runId;
}

const audit = async (minute: number, open: readonly OpenScheduledRun[] = []) => {
  const audits = await auditTicks(database.db, { nominalTicks, open, nowMs: at(minute), graceSeconds: 300 });
  return audits.find(({ scheduleId }) => scheduleId === 'job-example');
};
/** `0:10 ran`, oldest first. */
const ticks = async (): Promise<string[]> => {
  const { rows } = await database.db.query<{ told: string }>(
    `select to_char(nominal_at at time zone 'utc', 'FMHH24:MI ') || outcome as told from schedule_ticks order by nominal_at`,
  );
  return rows.map(({ told }) => told);
};
const figures = async (untilMinute: number) => {
  const window = { fromMs: at(0), untilMs: at(untilMinute) };
  const { ticks: read } = await readJobFigures(database.db, ['example'], window);
  return read[0]!;
};
/** As the metric counts. */
const unaccounted = async (untilMinute: number): Promise<number> => {
  const { spans, window, accounted } = await figures(untilMinute);
  const expected = spans.map(({ cron, fromMs, untilMs }) =>
    nominalTicks(cron, Math.max(fromMs, window.fromMs), Math.min(untilMs ?? Infinity, window.untilMs)),
  );
  return expected.flat().length - accounted;
};

describe('the audit of ticks', () => {
  it('tells of an outage of Temporal: missed ticks, one that was caught up with, and none without a row', async () => {
    await declare();
    await aRun(10);
    // Away from 0:15 to 1:05, with a window of 15 minutes: 0:50 runs late, 1:00 is let go for it.
    await aRun(50, { made: 65, ended: 66 });
    await aRun(70);
    expect(await unaccounted(70)).toBe(7);
    expect(await audit(76)).toMatchObject({ ran: 3, skipped: 1, missed: 3, latestSeconds: 900 });
    expect(await ticks()).toEqual([
      '0:10 ran',
      '0:20 missed',
      '0:30 missed',
      '0:40 missed',
      '0:50 ran',
      '1:00 skipped',
      '1:10 ran',
    ]);
    expect(await figures(70)).toMatchObject({ missed: 3, lastLateSeconds: 0 });
    expect(await unaccounted(70)).toBe(0);
    expect(await audit(76)).toMatchObject({ ran: 0, missed: 0 }); // nothing is told twice
  });

  // The same hour as in test/e2e/missed-ticks.test.ts, where a real Temporal is away for as many ticks with the same window.
  it('tells of an hour without Temporal of a job of each minute: fifty ticks missed, the window run once, none unaccounted', async () => {
    await declare({ cron: '* * * * *', catchUpSeconds: 600 });
    for (let minute = 1; minute <= 5; minute += 1) await aRun(minute);
    // Away from 0:05 to 1:05. What is older than ten minutes is lost, the first that is not runs and makes up for those behind it.
    await aRun(56, { made: 65.1, ended: 65.5 });
    for (const minute of [66, 67]) await aRun(minute);
    expect(await unaccounted(67)).toBe(67);
    expect(await audit(72.5)).toMatchObject({ ran: 8, missed: 50, skipped: 9, due: 0, latestSeconds: 546 });
    expect(await unaccounted(67)).toBe(0);
    expect(await figures(67)).toMatchObject({ missed: 50 });
    const told = await ticks();
    expect([told.length, new Set(told).size]).toEqual([67, 67]);
    expect(told.slice(4, 6)).toEqual(['0:05 ran', '0:06 missed']);
    expect(told.slice(54, 57)).toEqual(['0:55 missed', '0:56 ran', '0:57 skipped']);
    expect(told.slice(64, 66)).toEqual(['1:05 skipped', '1:06 ran']);
    const { rows } = await database.db.query<{ detail: string }>(
      `select distinct detail from schedule_ticks where outcome = 'skipped'`,
    );
    expect(rows).toEqual([{ detail: 'made up for by the run before it, which was late' }]);
  });

  it('leaves what may still be caught up with as due, and counts it as missed only when it cannot be', async () => {
    await declare();
    await audit(16);
    expect(await ticks()).toEqual(['0:10 due']);
    expect(await figures(16)).toMatchObject({ missed: 0 });
    await aRun(10, { made: 24 });
    await audit(27);
    expect(await ticks()).toEqual(['0:10 ran', '0:20 skipped']);
    await audit(52);
    expect(await ticks()).toEqual(['0:10 ran', '0:20 skipped', '0:30 missed', '0:40 due']);
    expect(await figures(52)).toMatchObject({ missed: 1 });
  });

  it('calls a run that waits for a worker waiting, however long, and tells how late it was taken up', async () => {
    await declare();
    const runId = randomUUID();
    const open = [{ runId, scheduleId: 'job-example', nominalAtMs: at(10), startedAtMs: at(10) }];
    const [schedule] = await listSchedules(database.db);
    const reading = { previousTicks, open, nowMs: at(25), limit: 10 };
    expect(await readTicks(database.db, schedule!, reading)).toMatchObject([
      { outcome: 'skipped', runId, runState: null },
      { outcome: 'waiting', runId, runState: null, detail: 'waits for a worker' },
    ]);
    expect(await audit(600, open)).toMatchObject({ waiting: 1, skipped: 58, missed: 0, due: 0 });
    await aRun(10, { began: 600, ended: 610 });
    expect(await audit(616)).toMatchObject({ ran: 1, latestSeconds: 590 * 60 });
    expect((await ticks()).slice(0, 2)).toEqual(['0:10 ran', '0:20 skipped']);
    const { rows } = await database.db.query(`select detail from schedule_ticks where outcome = 'ran'`);
    expect(rows).toEqual([{ detail: 'waited 35400 s for a worker' }]);
  });

  it('judges ticks before a change of times by the old times and those after it by the new', async () => {
    await declare();
    await aRun(10);
    await declareSchedules(database.db, [example({ cron: '*/15 * * * *' })]); // Temporal does not know yet
    expect((await listSpans(database.db, 0)).map(({ cron }) => cron)).toEqual(['*/10 * * * *']);
    await takeEffect(database.db, 'job-example', at(32));
    await takeEffect(database.db, 'job-example', at(34)); // seen again
    expect(await listSpans(database.db, 0)).toMatchObject([
      { cron: '*/10 * * * *', untilMs: at(32) },
      { cron: '*/15 * * * *', fromMs: at(32), untilMs: null },
    ]);
    await aRun(45);
    await audit(100);
    expect(await ticks()).toEqual([
      '0:10 ran',
      '0:20 missed',
      '0:30 missed',
      '0:45 ran',
      '1:00 missed',
      '1:15 missed',
      '1:30 due',
    ]);
    expect(await unaccounted(90)).toBe(0);
  });

  it('accounts for the last ticks of a schedule that is no more, and for none of the time that it was away', async () => {
    await declare();
    await declareSchedules(database.db, []);
    await database.db.query('update schedule_spans set until_at = $1', [new Date(at(25))]);
    await database.db.query('update schedules set retired_at = $1', [new Date(at(25))]);
    await audit(60);
    expect(await ticks()).toEqual(['0:10 missed', '0:20 missed']);
    await declareSchedules(database.db, [example()]);
    await database.db.query('update schedule_spans set from_at = $1 where until_at is null', [new Date(at(85))]);
    await audit(100);
    expect(await ticks()).toEqual(['0:10 missed', '0:20 missed', '1:30 due']);
    expect(await unaccounted(90)).toBe(0);
  });

  it('leaves ticks alone that have told of themselves', async () => {
    await declare();
    await recordTick(database.db, { scheduleId: 'job-example', nominalAtMs: at(10), atMs: at(10) + 1_500 });
    await audit(16);
    await audit(26);
    await recordTick(database.db, { scheduleId: 'job-example', nominalAtMs: at(20), atMs: at(27) });
    await audit(36);
    expect(await ticks()).toEqual(['0:10 ran', '0:20 ran', '0:30 due']);
  });

  it('comes to an end however long it was away', async () => {
    await declare({ cron: '* * * * * *', catchUpSeconds: 10 });
    const seconds = 25_000; // more than it looks at in one go
    const audited = await auditTicks(database.db, {
      ...{ nominalTicks, open: [], nowMs: at(0.5) + seconds * 1_000, graceSeconds: 0 },
    });
    expect(audited[0]).toMatchObject({ missed: seconds - 11, due: 11 });
  });

  it('keeps its totals when rows of runs go', async () => {
    await declare();
    await aRun(10);
    await audit(16);
    await database.db.query('delete from job_run_events');
    await database.db.query('delete from job_runs');
    const read = await readJobFigures(database.db, ['example'], { fromMs: at(0), untilMs: at(10) });
    expect(read.outcomes).toEqual([{ jobName: 'example', state: 'succeeded', count: 1 }]);
    expect(await ticks()).toEqual(['0:10 ran']);
    expect(await unaccounted(10)).toBe(0);
  });
});

describe('the last ticks of a schedule', () => {
  it('are those up to now: what the audit has not come to is worked out', async () => {
    await declare();
    await aRun(10);
    await audit(16);
    const running = await aRun(20, { ended: null });
    const [schedule] = await listSchedules(database.db);
    const read = (minute: number) =>
      readTicks(database.db, schedule!, { previousTicks, open: [], nowMs: at(minute), limit: 10 });
    expect((await read(30)).map(({ nominalAt, outcome, runState }) => [nominalAt, outcome, runState])).toEqual([
      ['2026-05-01T00:30:00.000Z', 'skipped', 'running'],
      ['2026-05-01T00:20:00.000Z', 'ran', 'running'],
      ['2026-05-01T00:10:00.000Z', 'ran', 'succeeded'],
    ]);
    await createJobRunStore(database.db).finish({
      ...{ runId: running, state: 'failed', result: null },
      failure: { code: 'STORE_FULL', message: 'no room' },
    });
    await database.db.query('update job_runs set finished_at = $2 where run_id = $1', [running, new Date(at(21))]);
    expect((await read(31)).slice(0, 2)).toMatchObject([
      { outcome: 'due', detail: 'nothing has started it yet' },
      { outcome: 'ran', runState: 'failed', detail: 'STORE_FULL, no room' },
    ]);
    expect((await read(47))[1]).toMatchObject({ outcome: 'missed' });
  });
});

describe('a pause', () => {
  const pause = (paused: boolean, seenAt: Date) =>
    recordPause(database.db, { scheduleId: 'job-example', paused, note: paused ? 'olga: works' : 'done', seenAt });

  it('lasts though somebody who looked before it writes down later that all goes on', async () => {
    await declare();
    const lookedAt = await databaseTime(database.db);
    expect(await pause(true, await databaseTime(database.db))).toBe(true);
    expect(await pause(false, lookedAt)).toBe(false);
    expect(await openPauses(database.db)).toEqual(new Map([['job-example', 'olga: works']]));
    const lookedWhilePaused = await databaseTime(database.db);
    expect(await pause(false, await databaseTime(database.db))).toBe(true);
    expect(await pause(true, lookedWhilePaused)).toBe(false);
    expect(await listPauses(database.db, 'job-example', 0)).toHaveLength(1);
    expect(await openPauses(database.db)).toEqual(new Map());
  });

  it('explains every tick in it, and is not missed', async () => {
    await declare();
    await pause(true, await databaseTime(database.db));
    await database.db.query('update schedule_pauses set paused_at = $1, resumed_at = $2', [
      new Date(at(15)),
      new Date(at(35)),
    ]);
    await aRun(10);
    await audit(100);
    expect((await ticks()).slice(0, 4)).toEqual(['0:10 ran', '0:20 paused', '0:30 paused', '0:40 missed']);
    const { rows } = await database.db.query(`select distinct detail from schedule_ticks where outcome = 'paused'`);
    expect(rows).toEqual([{ detail: 'olga: works' }]);
  });
});
