import { cancelJobRun, orderJobRun, terminateJobRun, type JobRunOrder } from '../../../db/job-orders';
import { findJobRun, listJobRuns, listRunEvents } from '../../../db/job-run-reads';
import { createJobRunStore } from '../../../db/job-runs';
import { newRunId } from '../../../jobs/runner/run-ids';
import { createTestDatabase, type TestDatabase } from '../../support/servers';
import { ANNA } from './people-writes';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const anOrder = (given: Partial<JobRunOrder> = {}): JobRunOrder => {
  const runId = given.runId ?? newRunId();
  return {
    ...{ runId, jobName: 'example', workflowId: `job/example/${runId}`, input: { size: 2, to: 'bucket' } },
    ...{ slots: null, unbegun: [], idempotencyKey: null, againOf: null, actor: ANNA },
    ...given,
  };
};
const order = (given: Partial<JobRunOrder> = {}) => orderJobRun(database.db, anOrder(given));
const accepted = async (given: Partial<JobRunOrder> = {}): Promise<string> => {
  const ordered = await order(given);
  if (ordered.outcome !== 'accepted') throw new Error('the place is taken');
  return ordered.run.runId;
};
const audited = async (): Promise<unknown[]> => {
  const { rows } = await database.db.query('select actor, action, subject, outcome from audit_log order by id');
  return rows;
};
const begin = (runId: string) =>
  createJobRunStore(database.db).claim({
    ...anOrder({ runId }),
    ...{ origin: 'api', scheduleId: null, nominalAtMs: null, requestedAtMs: Date.now() },
  });
const story = async (runId: string): Promise<string[]> =>
  (await listRunEvents(database.db, runId, 0, 100)).map(
    ({ seq, kind, data }) => `${String(seq)} ${kind} ${String(data['state'] ?? data['what'])}`,
  );

describe('asking for a run', () => {
  it('makes its row, its story and its audit entry together', async () => {
    const runId = await accepted();
    expect(await findJobRun(database.db, runId)).toMatchObject({
      ...{ state: 'waiting', origin: 'api', requestedBy: ANNA.user, input: { size: 2, to: 'bucket' } },
      ...{ startedAt: null, finishedAt: null, cancel: null },
    });
    expect(await story(runId)).toEqual(['1 state waiting']);
    expect(await audited()).toEqual([{ actor: ANNA.user, action: 'job.start', subject: runId, outcome: 'done' }]);
  });

  it('gives one place to one of many who ask at once, and writes nothing for the others', async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => order({ slots: ['example'] })));
    const winners = answers.filter(({ outcome }) => outcome === 'accepted');
    expect(winners).toHaveLength(1);
    const [winner] = winners;
    const holder = winner?.outcome === 'accepted' ? winner.run.runId : '';
    for (const answer of answers)
      if (answer.outcome === 'taken') expect(answer.holders).toMatchObject([{ runId: holder }]);
    expect(await audited()).toHaveLength(1);
  });

  it('gives no place while one that Temporal has made waits for it, except to who has got one before', async () => {
    const unbegun = [{ runId: newRunId(), workflowId: 'job/example/scheduled-2026-05-01T12:00:00Z' }];
    const runId = await accepted({ slots: ['example'], idempotencyKey: 'k' });
    expect(await order({ slots: ['example'], unbegun })).toEqual({ outcome: 'taken', holders: unbegun });
    const again = await order({ slots: ['example'], unbegun, idempotencyKey: 'k' });
    expect(again).toMatchObject({ outcome: 'accepted', repeated: true, run: { runId } });
    await accepted({ slots: null, unbegun });
  });

  it('gives one run to one key, also when it is sent several times at once, however its fields are ordered', async () => {
    const asked = [
      { size: 2, to: 'bucket' },
      { to: 'bucket', size: 2 },
    ];
    const answers = await Promise.all(
      [...asked, ...asked].map((input) => order({ idempotencyKey: 'k', slots: ['example'], input })),
    );
    const ids = answers.map((answer) => (answer.outcome === 'accepted' ? answer.run.runId : answer.outcome));
    expect(new Set(ids).size).toBe(1);
    expect(answers.filter((answer) => answer.outcome === 'accepted' && answer.repeated)).toHaveLength(3);
    expect(await audited()).toHaveLength(1);
  });

  it.each([
    ['another input', { input: { size: 3 } }],
    ['another job', { jobName: 'other' }],
  ])('refuses a key that came with %s before', async (_what, given) => {
    await accepted({ idempotencyKey: 'k' });
    await expect(order({ idempotencyKey: 'k', ...given })).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
  });

  it('keeps the keys of two people apart', async () => {
    const first = await accepted({ idempotencyKey: 'k' });
    const ben = { ...ANNA, user: 'ben' };
    expect(await accepted({ idempotencyKey: 'k', actor: ben })).not.toBe(first);
  });
});

describe('cancelling', () => {
  it('ends a run that waits at once, frees its place, and repeating it changes nothing', async () => {
    const runId = await accepted({ slots: ['example'] });
    const cancelled = await cancelJobRun(database.db, { runId, reason: 'not needed', actor: ANNA, unbegun: null });
    expect(cancelled).toMatchObject({ state: 'cancelled', startedAt: null, cancel: { state: 'stopped' } });
    expect(await cancelJobRun(database.db, { runId, reason: 'again', actor: ANNA, unbegun: null })).toEqual(cancelled);
    expect(await story(runId)).toEqual(['1 state waiting', '2 cancel requested', '3 state cancelled']);
    await accepted({ slots: ['example'] });
    expect(await begin(runId)).toMatchObject({ outcome: 'over', state: 'cancelled' }); // a worker that comes late
  });

  it('asks a run that goes on, once, and leaves the rest to its worker', async () => {
    const runId = await accepted();
    await begin(runId);
    const asked = await cancelJobRun(database.db, { runId, reason: 'wrong target', actor: ANNA, unbegun: null });
    expect(asked).toMatchObject({ state: 'running', cancel: { state: 'requested', reason: 'wrong target' } });
    await cancelJobRun(database.db, { runId, reason: 'really', actor: { ...ANNA, user: 'ben' }, unbegun: null });
    expect((await story(runId)).filter((line) => line.includes('requested'))).toHaveLength(1);
    expect(await createJobRunStore(database.db).beat(runId, { step: 'run', attempt: 1, progress: null })).toEqual({
      state: 'running',
      cancelRequested: true,
    });
  });

  it.each(['cancel', 'terminate'] as const)('refuses to %s what is over', async (how) => {
    const runId = await accepted();
    await begin(runId);
    await createJobRunStore(database.db).finish({ runId, state: 'succeeded', result: 1, failure: null });
    const end = how === 'cancel' ? cancelJobRun : terminateJobRun;
    await expect(end(database.db, { runId, reason: 'late', actor: ANNA, unbegun: null })).rejects.toMatchObject({
      code: 'RUN_OVER',
    });
    await expect(
      end(database.db, { runId: newRunId(), reason: 'none', actor: ANNA, unbegun: null }),
    ).rejects.toMatchObject({
      code: 'RUN_NOT_FOUND',
    });
    expect(await audited()).toHaveLength(1);
  });
});

describe('terminating', () => {
  it('ends the row at once and keeps its place until its worker has stopped', async () => {
    const runId = await accepted({ slots: ['example'] });
    await begin(runId);
    const terminated = await terminateJobRun(database.db, { runId, reason: 'it hangs', actor: ANNA, unbegun: null });
    expect(terminated).toMatchObject({
      state: 'terminated',
      released: false,
      failure: { code: 'JOB_TERMINATED', message: `terminated by ${ANNA.user}: it hangs` },
    });
    expect(await order({ slots: ['example'] })).toMatchObject({ outcome: 'taken', holders: [{ runId }] });
    await createJobRunStore(database.db).stopped(runId);
    await accepted({ slots: ['example'] });
  });
});

describe('the list of runs', () => {
  it('is newest first, page by page without gap or repetition, also among runs of one moment', async () => {
    const ids: string[] = [];
    for (let count = 0; count < 7; count += 1) ids.push(await accepted({ jobName: count === 3 ? 'other' : 'example' }));
    await database.db.query(`update job_runs set requested_at = '2026-05-01T12:00:00.123456Z'`);
    const filter = { state: null, origin: null, requestedBy: null, jobName: null, limit: 3 };
    const seen: string[] = [];
    let before: { requestedAt: string; runId: string } | null = null;
    for (;;) {
      const page: { requestedAt: string; runId: string }[] = await listJobRuns(database.db, { ...filter, before });
      seen.push(...page.map(({ runId }) => runId));
      if (page.length < 3) break;
      const last = page.at(-1)!;
      before = { requestedAt: last.requestedAt, runId: last.runId };
    }
    expect(seen).toEqual([...ids].reverse()); // ids sort as the requests came
    expect(await listJobRuns(database.db, { ...filter, before: null, jobName: 'other' })).toMatchObject([
      { runId: ids[3] },
    ]);
    expect(await listJobRuns(database.db, { ...filter, before: null, requestedBy: 'nobody' })).toEqual([]);
  });
});
