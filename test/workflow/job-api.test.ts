import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { z } from 'zod';
import { superviseRuns } from '../../activities/supervise-runs';
import { createRunPort, createSchedulePort, jobsInTemporal } from '../../api/jobs/adapters';
import { createWorkflowGateway } from '../../api/temporal/workflow-gateway';
import { createJobRunSupervision } from '../../db/job-run-supervision';
import { createJobRunStore } from '../../db/job-runs';
import { auditTicks } from '../../db/tick-audit';
import { defineJob, type JobDeclaration } from '../../jobs/runner/declaration';
import { runIdOfWorkflow } from '../../jobs/runner/run-ids';
import { nominalTicks } from '../../jobs/runner/schedules';
import { closedWorkflow } from '../../temporal/closed-workflow';
import { createJobRunStarter } from '../../temporal/job-run-starter';
import { ensureSchedules } from '../../temporal/schedules';
import { createWorkflowStarter } from '../../temporal/workflow-starter';
import { createScheduleRecords } from '../../worker/schedule-records';
import { createJobWorld, type JobWorld } from '../support/job-world';
import { quietRuntime, workflowBundle } from '../support/runtime';
import { eventually } from '../support/servers';
import { bearer, startApp, type AppUnderTest } from '../unit/api/app-under-test';

let bundle: WorkflowBundleWithSourceMap;
let world: JobWorld;
let connection: Connection;
let app: AppUnderTest;

const job = defineJob({
  name: 'example',
  purpose: 'Stands for any job.',
  input: z.strictObject({ size: z.number().default(1), hold: z.boolean().default(false) }),
  schedule: null,
  concurrency: { atMost: 1 },
  freshness: null,
  runbook: 'example.md',
  attemptSeconds: 60,
  attempts: 1,
  run: async ({ size, hold }, { log, signal }) => {
    log.info({ size }, 'working');
    if (hold)
      await new Promise<void>((_, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error);
        });
      });
    return { doubled: size * 2 };
  },
});

beforeAll(async () => {
  quietRuntime();
  bundle = await workflowBundle();
});
beforeEach(async () => {
  world = await createJobWorld(bundle);
  const { client, address } = world.temporal;
  connection = await Connection.connect({ address });
  const starter = { ...createWorkflowStarter(client), ...createJobRunStarter(client) };
  app = await startApp({
    jobs: { declared: new Map<string, JobDeclaration>([['example', job]]) },
    runs: createRunPort(world.database.db, jobsInTemporal(client)),
    schedules: createSchedulePort(world.database.db, jobsInTemporal(client)),
    workflows: createWorkflowGateway(connection, client, starter),
  });
});
afterEach(async () => {
  await app.close();
  await connection.close();
  await world.close();
});

const start = (body: object, headers: Record<string, string> = {}) =>
  app.call('POST', '/api/jobs/example/runs', { as: 'operator', body, headers });
const read = async (runId: unknown) =>
  (await app.call('GET', `/api/runs/${String(runId)}`, { as: 'viewer' })).body as unknown as Record<string, string>;

describe('POST /api/jobs/{name}/runs', () => {
  it('answers with the result when it comes in time', async () => {
    await world.withWorker([job], async () => {
      const { status, headers, body } = await start({ size: 21 }, { prefer: 'wait=30' });
      expect([status, headers.get('preference-applied')]).toEqual([200, 'wait=30']);
      expect(body).toMatchObject({
        state: 'succeeded',
        result: { doubled: 42 },
        requestedBy: 'operator',
        origin: 'api',
      });
      expect(body['log']).toEqual([expect.objectContaining({ level: 'info', message: 'working' })]);
      expect(body['steps']).toEqual([expect.objectContaining({ name: 'run', state: 'succeeded', attempts: 1 })]);
    });
  });

  it('says where the run is when it does not, and that it waits for a worker', async () => {
    const { status, headers, body } = await start({}, { prefer: 'wait=1' });
    expect([status, headers.get('location')]).toEqual([202, `/api/runs/${String(body['runId'])}`]);
    expect((await read(body['runId']))['waitingFor']).toEqual({
      what: 'worker',
      queue: 'jobs',
      since: body['requestedAt'],
      workers: 0,
    });
    await world.withWorker([job], () =>
      eventually(async () => expect((await read(body['runId']))['state']).toBe('succeeded')),
    );
  });

  it('refuses a second one while the first goes on, with its link, and takes it once that was ended by hand', async () => {
    await world.withWorker([job], async () => {
      const first = (await start({ hold: true })).body['runId'];
      await eventually(async () => expect((await read(first))['state']).toBe('running'));
      const second = await start({});
      expect(second.status).toBe(409);
      expect(second.body).toMatchObject({ code: 'JOB_ALREADY_RUNNING', activeRun: `/api/runs/${String(first)}` });
      await world.temporal.client.workflow.getHandle(`job/example/${String(first)}`).terminate();
      await eventually(async () => expect((await start({}, { prefer: 'wait=10' })).status).toBe(200));
      expect((await read(first))['state']).toBe('terminated');
    });
  });

  it('gives the same run for the same key, and refuses the key for another input', async () => {
    const key = { 'idempotency-key': 'k1' };
    const first = await start({ size: 2 }, key);
    const again = await start({ size: 2 }, key);
    expect([again.status, again.body['runId']]).toEqual([202, first.body['runId']]);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect((await start({ size: 3 }, key)).body.code).toBe('IDEMPOTENCY_KEY_REUSED');
  });

  it('runs again with the input of another run, and lists them page by page', async () => {
    await world.withWorker([job], async () => {
      const first = await start({ size: 21 }, { prefer: 'wait=30' });
      const again = await app.call('POST', `/api/runs/${String(first.body['runId'])}/run-again`, {
        as: 'operator',
        headers: { prefer: 'wait=30' },
      });
      expect(again.body).toMatchObject({ state: 'succeeded', input: { size: 21 }, result: { doubled: 42 } });
      const seen: unknown[] = [];
      let path = '/api/runs?job=example&state=succeeded&limit=1';
      for (;;) {
        const { body } = await app.call('GET', path, { as: 'viewer' });
        seen.push(...(body.items as unknown as { runId: string }[]).map(({ runId }) => runId));
        if (typeof body['nextCursor'] !== 'string') break;
        path = `/api/runs?job=example&state=succeeded&limit=1&cursor=${body['nextCursor']}`;
      }
      expect(seen).toEqual([again.body['runId'], first.body['runId']]);
    });
  });

  it('keeps what a run did when Temporal has forgotten it', async () => {
    await world.withWorker([job], async () => {
      const { body } = await start({ size: 21 }, { prefer: 'wait=30' });
      const { client, namespace } = world.temporal;
      const workflowId = `job/example/${String(body['runId'])}`;
      await client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId } });
      await eventually(
        () => expect(client.workflow.getHandle(workflowId).describe()).rejects.toThrow('not found'),
        90_000,
      );
      expect(await read(body['runId'])).toEqual(body);
    });
  }, 120_000);

  it('points to what is wrong with the input, and writes nothing', async () => {
    const { status, body } = await start({ size: 'large' });
    expect([status, body.errors[0]?.pointer]).toEqual([422, '/size']);
    expect((await app.call('GET', '/api/runs', { as: 'viewer' })).body.items).toEqual([]);
  });
});

describe('a run that is asked to stop', () => {
  it('shows requested, acknowledged and stopped, and its story as events', async () => {
    await world.withWorker([job], async () => {
      const runId = (await start({ hold: true })).body['runId'];
      await eventually(async () => expect((await read(runId))['state']).toBe('running'));
      const cancelled = await app.call('POST', `/api/runs/${String(runId)}/cancel`, {
        as: 'operator',
        body: { reason: 'wrong input' },
      });
      expect(cancelled.body['cancel']).toMatchObject({
        state: 'requested',
        requestedBy: 'operator',
        reason: 'wrong input',
      });
      const stream = await fetch(`${app.url}/api/runs/${String(runId)}/events`, { headers: bearer('viewer') });
      expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
      const text = await stream.text(); // ends with the run
      const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
      expect(ids).toEqual(ids.map((_, index) => index + 1));
      expect(text).toMatch(/"requested"[^]*"acknowledged"[^]*"stopped"[^]*event: end\ndata: \{"state":"cancelled"/);
      expect((await read(runId))['cancel']).toMatchObject({ state: 'stopped' });
      const rest = await fetch(`${app.url}/api/runs/${String(runId)}/events`, {
        headers: { ...bearer('viewer'), 'last-event-id': String(ids.length - 1) },
      });
      expect([...(await rest.text()).matchAll(/^id: (\d+)$/gm)].map(([, id]) => id)).toEqual([String(ids.length)]);
    });
  });

  it('is over at once while it waits, and never begins', async () => {
    const runId = (await start({})).body['runId'];
    const path = `/api/runs/${String(runId)}`;
    const { body } = await app.call('POST', `${path}/cancel`, { as: 'operator', body: { reason: 'not needed' } });
    expect(body).toMatchObject({ state: 'cancelled', waitingFor: null });
    await world.withWorker([job], async () => {
      expect((await start({}, { prefer: 'wait=10' })).status).toBe(200);
      expect((await read(runId))['startedAt']).toBeNull();
    });
    const refused = await app.call('POST', `${path}/terminate`, { as: 'admin', body: { reason: 'again' } });
    expect(refused.body.code).toBe('RUN_OVER');
  });

  it('is terminated by an administrator only, and its worker stops', async () => {
    await world.withWorker([job], async () => {
      const runId = (await start({ hold: true })).body['runId'];
      await eventually(async () => expect((await read(runId))['state']).toBe('running'));
      const terminate = (as: 'operator' | 'admin') =>
        app.call('POST', `/api/runs/${String(runId)}/terminate`, { as, body: { reason: 'it hangs' } });
      expect((await terminate('operator')).status).toBe(403);
      expect((await terminate('admin')).body).toMatchObject({
        state: 'terminated',
        failure: { code: 'JOB_TERMINATED', message: 'terminated by admin: it hangs' },
      });
      await eventually(async () => expect((await world.row(String(runId)))?.released_at).not.toBeNull());
    });
  });
});

describe('the supervisor', () => {
  /** A request is given five seconds to start its own workflow. */
  const makeOlder = (runId: string) =>
    world.database.db.query(`update job_runs set requested_at = now() - interval '6 s' where run_id = $1`, [runId]);
  const supervise = async () => {
    const { client } = world.temporal;
    const { db } = world.database;
    const starter = createJobRunStarter(client);
    return superviseRuns(
      {
        runs: { ...createJobRunSupervision(db), settle: createJobRunStore(db).settle },
        startJobRun: starter.startJobRun,
        closedAs: (workflowId) => closedWorkflow(client, workflowId),
      },
      await createWorkflowStarter(client).running(),
    );
  };

  it('says of a run whose workflow was ended by hand while it waited how it ended', async () => {
    const runId = String((await start({})).body['runId']);
    await world.temporal.client.workflow.getHandle(`job/example/${runId}`).terminate();
    await makeOlder(runId);
    await eventually(async () => {
      await supervise();
      expect((await world.row(runId))?.state).toBe('terminated');
    });
  });

  it('starts a run whose API died between its row and its workflow', async () => {
    const port = createRunPort(world.database.db, jobsInTemporal(world.temporal.client));
    const other = '0193a5b0-0000-7000-8000-000000000001';
    await port.order({
      runId: other,
      jobName: 'example',
      workflowId: `job/example/${other}`,
      input: { size: 4 },
      slots: ['example'],
      unbegun: [],
      idempotencyKey: null,
      againOf: null,
      actor: { user: 'olga', role: 'operator', requestId: 'r', address: '-' },
    });
    await makeOlder(other);
    expect(await supervise()).toEqual([other]);
    await world.withWorker([job], () =>
      eventually(async () =>
        expect(await world.row(other)).toMatchObject({ state: 'succeeded', result: { doubled: 8 } }),
      ),
    );
  });
});

describe('one at a time', () => {
  const wanted = [
    { scheduleId: 'job-example', jobName: 'example', cron: '0 0 1 1 *', overlap: 'skip', catchUpSeconds: 60 },
  ] as const;
  const byHand = () =>
    world.temporal.client.workflow.start('job', {
      taskQueue: 'jobs',
      workflowId: 'job/example/by-hand',
      args: [{ jobName: 'example', input: { hold: true } }],
    });
  const cancel = (runId: string) =>
    app.call('POST', `/api/runs/${runId}/cancel`, { as: 'operator', body: { reason: 'enough' } });
  const trigger = () => app.call('POST', '/api/schedules/job-example/trigger', { as: 'operator' });
  /** Temporal's list of open workflows lags, and what it says is remembered for some seconds. */
  const listed = (runId: string) => eventually(() => read(runId).then((run) => expect(run['state']).toBe('waiting')));

  beforeEach(async () => {
    await createScheduleRecords(world.database.db).declare(wanted);
    await ensureSchedules(world.temporal.client, wanted);
  });

  it('a run that a schedule has made and that waits for a worker has the place, and may be cancelled', async () => {
    const triggered = await trigger();
    const runId = String(triggered.body['runId']);
    expect([triggered.status, triggered.headers.get('location')]).toEqual([202, `/api/runs/${runId}`]);
    await listed(runId);
    for (const refused of [await start({}), await trigger()]) {
      expect(refused.status).toBe(409);
      expect(refused.body).toMatchObject({ code: 'JOB_ALREADY_RUNNING', activeRun: `/api/runs/${runId}` });
      expect(refused.headers.get('link')).toBe(`</api/runs/${runId}>; rel="related"`);
    }
    expect((await cancel(runId)).body).toMatchObject({ state: 'cancelled', origin: 'schedule', startedAt: null });
    await world.withWorker([job], async () => {
      await eventually(async () => expect((await start({}, { prefer: 'wait=10' })).status).toBe(200));
      expect(await read(runId)).toMatchObject({ state: 'cancelled', startedAt: null });
    });
  });

  it('a run that somebody has started in Temporal has the place, waiting and at work', async () => {
    await byHand();
    const runId = runIdOfWorkflow('job/example/by-hand');
    await listed(runId);
    const active = { code: 'JOB_ALREADY_RUNNING', activeRun: `/api/runs/${runId}` };
    expect((await start({})).body).toMatchObject(active);
    await world.withWorker([job], async () => {
      await eventually(async () => expect((await read(runId))['state']).toBe('running'));
      for (const refused of [await start({}), await trigger()]) {
        expect(refused.status).toBe(409);
        expect(refused.body).toMatchObject(active);
      }
      await cancel(runId);
      await eventually(async () => expect((await read(runId))['state']).toBe('cancelled'));
      expect((await start({}, { prefer: 'wait=10' })).status).toBe(200);
    });
  });

  it('a run that the API has started is in the way of Temporal’s own trigger, whose run says for whom it made room', async () => {
    await world.withWorker([job], async () => {
      const runId = String((await start({ hold: true })).body['runId']);
      await eventually(async () => expect((await read(runId))['state']).toBe('running'));
      await world.temporal.client.schedule.getHandle('job-example').trigger();
      await eventually(async () => {
        const { body } = await app.call('GET', '/api/runs?origin=schedule', { as: 'viewer' });
        expect(body.items).toMatchObject([{ state: 'skipped', skippedFor: runId }]);
      });
      await cancel(runId);
      await eventually(async () => expect((await read(runId))['state']).toBe('cancelled'));
    });
  });
});

describe('schedules', () => {
  it('are paused with a reason, and every tick is accounted for', async () => {
    const { client } = world.temporal;
    const { db } = world.database;
    const wanted = [
      { scheduleId: 'job-example', jobName: 'example', cron: '* * * * * *', overlap: 'skip', catchUpSeconds: 10 },
    ] as const;
    await createScheduleRecords(db).declare(wanted);
    await ensureSchedules(client, wanted);
    await world.withWorker([job], async () => {
      await eventually(async () => {
        const { rows } = await db.query<{ n: string }>(`select count(*) as n from job_runs where state = 'succeeded'`);
        expect(Number(rows[0]?.n)).toBeGreaterThan(2);
      });
      const paused = await app.call('POST', '/api/schedules/job-example/pause', {
        as: 'operator',
        body: { reason: 'maintenance' },
      });
      expect(paused.body['paused']).toMatchObject({ note: 'operator: maintenance' });
      // A run that is triggered in the second of the resumption has that second as its nominal time.
      await sleep(3_500);
      const resumed = await app.call('POST', '/api/schedules/job-example/resume', {
        as: 'operator',
        body: { reason: 'done' },
      });
      expect(resumed.body['paused']).toBeNull();
      const triggered = await app.call('POST', '/api/schedules/job-example/trigger', { as: 'operator' });
      expect([202, 409]).toContain(triggered.status);
      await client.schedule.getHandle('job-example').delete();
      await sleep(1_500);
    });
    const audits = await auditTicks(db, { nominalTicks, open: [], nowMs: Date.now(), graceSeconds: 1 });
    const example = audits.find(({ scheduleId }) => scheduleId === 'job-example')!;
    expect(example.ran).toBeGreaterThan(2);
    expect(example.paused).toBeGreaterThanOrEqual(2);
    const shown = await app.call('GET', '/api/schedules/job-example', { as: 'viewer' });
    expect((shown.body['last'] as unknown[]).length).toBeGreaterThan(2);
    expect((shown.body['next'] as unknown[]).length).toBe(10);
  });
});
