import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { z } from 'zod';
import { readJobFigures } from '../../db/job-figures';
import { JobFailure, JobSkipped, type JobContext } from '../../jobs/runner/context';
import { defineJob, defineSteps, type JobDeclaration } from '../../jobs/runner/declaration';
import { runIdOfWorkflow } from '../../jobs/runner/run-ids';
import { ensureSchedules } from '../../temporal/schedules';
import { jobWorkflowId } from '../../workflows/messages';
import { recordHistory } from '../support/histories';
import { createJobWorld, type JobWorld } from '../support/job-world';
import { quietRuntime, workflowBundle } from '../support/runtime';
import { eventually } from '../support/servers';

let bundle: WorkflowBundleWithSourceMap;
let world: JobWorld;

beforeAll(async () => {
  quietRuntime();
  bundle = await workflowBundle();
});
beforeEach(async () => {
  world = await createJobWorld(bundle);
});
afterEach(() => world.close());

const aJob = (
  run: (input: { size: number }, context: JobContext) => Promise<unknown>,
  given: Partial<Pick<JobDeclaration, 'concurrency'>> & { attempts?: number; attemptSeconds?: number } = {},
) =>
  defineJob({
    name: 'example',
    purpose: 'Stands for any job.',
    input: z.strictObject({ size: z.number().default(1) }),
    schedule: null,
    concurrency: given.concurrency ?? { atMost: 1 },
    freshness: null,
    runbook: 'example.md',
    attemptSeconds: given.attemptSeconds ?? 60,
    attempts: given.attempts ?? 1,
    pauseSeconds: 0.1,
    run,
  });

const start = async (input: unknown = {}, jobName = 'example') => {
  const runId = randomUUID();
  const handle = await world.temporal.client.workflow.start('job', {
    taskQueue: 'jobs',
    workflowId: jobWorkflowId(jobName, runId),
    args: [{ jobName, runId, input }],
  });
  return { runId, handle };
};

/** Ends well or badly, but ends. */
const ended = async ({ handle, runId }: Awaited<ReturnType<typeof start>>) => {
  await handle.result().catch(() => undefined);
  return (await world.row(runId))!;
};

/** Its first step goes on: the row says `running` a little earlier. */
const working = (runId: string) => eventually(async () => expect(await world.story(runId)).toContain('step started'));

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason as Error);
    });
  });

describe('a run', () => {
  it('validates its input, does the work once, and keeps result, proof, lines and steps', async () => {
    const job = aJob(async ({ size }, context) => {
      context.log.info({ size }, 'working');
      context.progress({ doneBytes: 5, totalBytes: 10 });
      await context.evidence('sum', { size });
      return { doubled: size * 2 };
    });
    await world.withWorker([job], async () => {
      const run = await start({ size: 21 });
      expect(await run.handle.result()).toEqual({ runId: run.runId, state: 'succeeded', result: { doubled: 42 } });
      expect(await world.row(run.runId)).toMatchObject({ state: 'succeeded', result: { doubled: 42 }, attempt: 1 });
      expect(await world.story(run.runId)).toEqual([
        'state waiting',
        'state running',
        'step started',
        'log working',
        'step succeeded',
        'state succeeded',
      ]);
      const proofs = await world.database.db.query('select kind, data from job_evidence where run_id = $1', [
        run.runId,
      ]);
      expect(proofs.rows).toEqual([{ kind: 'sum', data: { size: 21 } }]);
      await recordHistory(world.temporal.client, 'job-succeeded', jobWorkflowId('example', run.runId));
    });
  });

  it('gives what a step has answered to the steps after it', async () => {
    const job = defineSteps({
      name: 'example',
      purpose: 'Two steps.',
      input: z.strictObject({}),
      schedule: null,
      concurrency: 'unlimited',
      freshness: null,
      runbook: 'example.md',
      steps: [
        { name: 'measure', attemptSeconds: 10, attempts: 1, run: () => Promise.resolve({ kw: 7 }) },
        {
          name: 'report',
          attemptSeconds: 10,
          attempts: 1,
          run: (_input, { results }) => Promise.resolve({ heard: results['measure'] }),
        },
      ],
    });
    await world.withWorker([job], async () => {
      expect(await ended(await start())).toMatchObject({ state: 'succeeded', result: { heard: { kw: 7 } } });
    });
  });

  it.each([
    [{ size: 'large' }, /size: .*expected number/i],
    [{ length: 2 }, /length/],
  ])('with input %j is failed and not begun', async (input, reason) => {
    await world.withWorker([aJob(() => Promise.reject(new Error('it ran')))], async () => {
      const row = await ended(await start(input));
      expect(row).toMatchObject({ state: 'failed', failure: { code: 'VALIDATION_FAILED' } });
      expect(row.failure?.message).toMatch(reason);
    });
  });

  it('of a job that this worker does not know is failed and says so', async () => {
    await world.withWorker([], async () => {
      expect(await ended(await start({}, 'gone'))).toMatchObject({
        state: 'failed',
        failure: { code: 'JOB_NOT_FOUND' },
      });
    });
  });

  it('is tried again as declared, and fails with the name of its last failure', async () => {
    const seen: number[] = [];
    const job = aJob(
      (_input, { attempt }) => {
        seen.push(attempt);
        return Promise.reject(new JobFailure('STORE_FULL', 'no room', { retryable: true }));
      },
      { attempts: 3 },
    );
    await world.withWorker([job], async () => {
      const run = await start();
      expect(await ended(run)).toMatchObject({
        state: 'failed',
        failure: { code: 'STORE_FULL', message: 'no room' },
      });
      expect(seen).toEqual([1, 2, 3]);
      await recordHistory(world.temporal.client, 'job-failed', jobWorkflowId('example', run.runId));
    });
  });

  it('whose attempts take too long is failed with a name, and its work is told to stop', async () => {
    let stopped = 0;
    const job = aJob(
      (_input, { signal }) =>
        untilAborted(signal).catch((error: unknown) => {
          stopped += 1;
          throw error;
        }),
      { attemptSeconds: 1, attempts: 2 },
    );
    await world.withWorker([job], async () => {
      expect(await ended(await start())).toMatchObject({ state: 'failed', failure: { code: 'ATTEMPT_TIMED_OUT' } });
      await eventually(() => expect(stopped).toBe(2));
    });
  });

  it('is not tried again for what cannot be helped', async () => {
    const seen: number[] = [];
    const job = aJob(
      (_input, { attempt }) => {
        seen.push(attempt);
        return Promise.reject(new JobFailure('WRONG_KEY', 'the key does not fit'));
      },
      { attempts: 3 },
    );
    await world.withWorker([job], async () => {
      expect(await ended(await start())).toMatchObject({ state: 'failed', failure: { code: 'WRONG_KEY' } });
      expect(seen).toEqual([1]);
    });
  });

  it('that finds nothing to do ends as skipped, and says why', async () => {
    const job = aJob(() => Promise.reject(new JobSkipped('WAL archiving is off')));
    await world.withWorker([job], async () => {
      expect(await ended(await start())).toMatchObject({
        state: 'skipped',
        failure: { code: 'JOB_SKIPPED', message: 'WAL archiving is off' },
      });
    });
  });

  it('that finds an exception of its promise says which, for good', async () => {
    const job = aJob(() => Promise.reject(new JobSkipped('WAL archiving is off', 'archiving-off')));
    await world.withWorker([job], async () => {
      const failure = { code: 'JOB_SKIPPED', message: 'WAL archiving is off', exception: 'archiving-off' };
      expect(await ended(await start())).toMatchObject({ state: 'skipped', failure });
      const window = { fromMs: 0, untilMs: 0 };
      const { successes } = await readJobFigures(world.database.db, ['example'], window);
      expect(successes).toEqual([
        expect.objectContaining({
          succeeded: false,
          exception: { name: 'archiving-off', ageSeconds: expect.closeTo(0, -1) as number },
        }),
      ]);
    });
  });

  it('refuses to keep a result that is too large', async () => {
    const job = aJob(() => Promise.resolve('x'.repeat(70_000)));
    await world.withWorker([job], async () => {
      expect(await ended(await start())).toMatchObject({ state: 'failed', failure: { code: 'RESULT_TOO_LARGE' } });
    });
  });

  it('that is cancelled stops its work, and shows how the cancellation went', async () => {
    let stopped = 0;
    const job = aJob(async (_input, { signal }) => {
      await untilAborted(signal).catch(async (error: unknown) => {
        await sleep(50); // a child process takes its time
        stopped += 1;
        throw error;
      });
    });
    await world.withWorker([job], async () => {
      const run = await start();
      await working(run.runId);
      await run.handle.cancel();
      await expect(run.handle.result()).rejects.toThrow();
      const row = await world.row(run.runId);
      expect(row).toMatchObject({ state: 'cancelled' });
      expect(row?.cancel_acknowledged_at).not.toBeNull();
      expect(stopped).toBe(1);
      expect(await world.story(run.runId)).toEqual([
        'state waiting',
        'state running',
        'step started',
        'cancel acknowledged',
        'cancel stopped',
        'state cancelled',
      ]);
      await recordHistory(world.temporal.client, 'job-cancelled', jobWorkflowId('example', run.runId));
    });
  });

  it('learns from its row within a second or two that it is cancelled, before Temporal tells', async () => {
    const job = aJob((_input, { signal }) => untilAborted(signal));
    await world.withWorker([job], async () => {
      const run = await start();
      await working(run.runId);
      await world.database.db.query('update job_runs set cancel_requested_at = now() where run_id = $1', [run.runId]);
      const from = Date.now();
      expect(await ended(run)).toMatchObject({ state: 'cancelled' });
      expect(Date.now() - from).toBeLessThan(4_000);
    });
  });
});

describe('a worker that is stopped while a run goes on', () => {
  it('leaves the step to the next worker, as another attempt', async () => {
    const job = aJob(
      (_input, { attempt, signal }) => (attempt === 1 ? untilAborted(signal) : Promise.resolve({ attempt })),
      { attempts: 2 },
    );
    const run = await start();
    await world.withWorker([job], () => working(run.runId));
    expect(await world.row(run.runId)).toMatchObject({ state: 'running' });
    await world.withWorker([job], async () => {
      expect(await ended(run)).toMatchObject({ state: 'succeeded', result: { attempt: 2 } });
    });
    expect(await world.story(run.runId)).toEqual([
      'state waiting',
      'state running',
      'step started',
      'step failed',
      'step started',
      'step succeeded',
      'state succeeded',
    ]);
  });
});

describe('one run at a time', () => {
  it('lets the second end as skipped, with a link to the first, and takes a third when the first is over', async () => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    await world.withWorker([aJob(() => gate)], async () => {
      const first = await start();
      await working(first.runId);
      const second = await ended(await start());
      expect(second).toMatchObject({ state: 'skipped', skipped_for: first.runId });
      release();
      await first.handle.result();
      expect(await ended(await start())).toMatchObject({ state: 'succeeded' });
    });
  });

  it('frees the place of a run that somebody terminated in Temporal, once its worker has stopped', async () => {
    const job = aJob((_input, { signal }) => untilAborted(signal));
    await world.withWorker([job], async () => {
      const first = await start();
      await working(first.runId);
      await first.handle.terminate('by hand');
      // It is found out by the next run, which still finds the place taken: the work goes on until its worker hears of it.
      expect(await ended(await start())).toMatchObject({ state: 'skipped', skipped_for: first.runId });
      expect(await world.row(first.runId)).toMatchObject({
        state: 'terminated',
        failure: { code: 'JOB_TERMINATED', message: 'terminated in Temporal' },
      });
      await eventually(async () => expect((await world.row(first.runId))?.released_at).not.toBeNull());
      const next = await start();
      await working(next.runId);
      await next.handle.cancel();
      await ended(next);
    });
  });

  it('gives as many places as the job has', async () => {
    const job = aJob((_input, { signal }) => untilAborted(signal), { concurrency: { atMost: 2 } });
    await world.withWorker([job], async () => {
      const runs = [await start(), await start()];
      for (const { runId } of runs) await working(runId);
      expect(await ended(await start())).toMatchObject({ state: 'skipped' });
      for (const run of runs) await run.handle.cancel();
      for (const run of runs) expect(await ended(run)).toMatchObject({ state: 'cancelled' });
    });
  });
});

describe('a run that a schedule makes', () => {
  it('has an id that follows from its workflow’s, and the tick it was made for', async () => {
    const seen: (Date | null)[] = [];
    const job = aJob((_input, { nominalAt }) => {
      seen.push(nominalAt);
      return Promise.resolve(null);
    });
    await world.withWorker([job], async () => {
      await ensureSchedules(world.temporal.client, [
        { scheduleId: 'job-example', jobName: 'example', cron: '* * * * * *', overlap: 'skip', catchUpSeconds: 60 },
      ]);
      await eventually(() => {
        expect(seen.length).toBeGreaterThan(0);
      });
      await world.temporal.client.schedule.getHandle('job-example').delete();
    });
    const { rows } = await world.database.db.query<{ run_id: string; workflow_id: string; nominal_at: Date }>(
      `select run_id, workflow_id, nominal_at from job_runs where origin = 'schedule' order by nominal_at`,
    );
    expect(rows[0]!.run_id).toBe(runIdOfWorkflow(rows[0]!.workflow_id));
    expect(rows[0]!.workflow_id).toMatch(/^job\/example\/scheduled-/);
    expect(rows[0]!.nominal_at).toEqual(seen[0]);
  });
});
