import { z } from 'zod';
import type { JobRunOrder } from '../../../db/job-orders';
import { DermsError } from '../../../domain/errors';
import { defineJob, type JobDeclaration } from '../../../jobs/runner/declaration';
import { runIdOfWorkflow } from '../../../jobs/runner/run-ids';
import { bearer, startApp, type AppUnderTest, type Given } from './app-under-test';
import { aFinishedRun, aRun, RUN, runsInMemory } from './runs-in-memory';

const OTHER = '0193a5b0-0000-7000-8000-000000000002';

const example = defineJob({
  name: 'example',
  purpose: 'Stands for any job.',
  input: z.strictObject({ size: z.number().min(1).default(1).describe('How large.') }),
  schedule: { cron: '40 1 * * *', overlap: 'skip', catchUpSeconds: 3_600 },
  concurrency: { atMost: 1 },
  freshness: null,
  runbook: 'example.md',
  attemptSeconds: 60,
  attempts: 1,
  run: () => Promise.resolve(null),
});
const declared = new Map<string, JobDeclaration>([['example', example]]);
const schedules = [
  { scheduleId: 'job-example', jobName: 'example', cron: '40 1 * * *', overlap: 'skip', catchUpSeconds: 3_600 },
] as const;

let app: AppUnderTest | undefined;
const begun: { readonly runId: string; readonly input: unknown }[] = [];
const start = async (given: Given): Promise<AppUnderTest> => {
  begun.length = 0;
  return (app = await startApp({
    jobs: { declared, schedules },
    workflows: {
      startJobRun: ({ runId, input }) => {
        begun.push({ runId, input });
        return Promise.resolve();
      },
    },
    ...given,
  }));
};
afterEach(async () => {
  await app?.close();
  app = undefined;
});

describe('a job', () => {
  it('is shown with what it takes, when it runs by itself and its last runs', async () => {
    const under = await start({ runs: runsInMemory(aFinishedRun()) });
    const { status, body } = await under.call('GET', '/api/jobs/example', { as: 'viewer' });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      name: 'example',
      purpose: 'Stands for any job.',
      inputSchema: { type: 'object', properties: { size: { type: 'number', minimum: 1, description: 'How large.' } } },
      schedule: { scheduleId: 'job-example', cron: '40 1 * * *', overlap: 'skip', catchUpSeconds: 3_600 },
      concurrency: { atMost: 1 },
      steps: ['run'],
      runbook: 'docs/runbooks/example.md',
      lastRuns: [{ runId: RUN, state: 'succeeded' }],
    });
    expect((await under.call('GET', '/api/jobs', { as: 'viewer' })).body.items).toHaveLength(1);
  });

  it('that nobody declares is told apart', async () => {
    const under = await start({});
    const read = await under.call('GET', '/api/jobs/gone', { as: 'viewer' });
    expect([read.status, read.body.code]).toEqual([404, 'JOB_NOT_FOUND']);
    const asked = await under.call('POST', '/api/jobs/gone/runs', { as: 'operator', body: {} });
    expect([asked.status, asked.body.code]).toEqual([404, 'JOB_NOT_FOUND']);
  });
});

describe('asking for a run', () => {
  it('writes it down, starts its workflow and says where it is', async () => {
    const runs = runsInMemory();
    const under = await start({ runs });
    const { status, headers, body } = await under.call('POST', '/api/jobs/example/runs', {
      as: 'operator',
      body: { size: 21 },
    });
    const runId = String(body['runId']);
    expect([status, headers.get('location')]).toEqual([202, `/api/runs/${runId}`]);
    expect(body).toMatchObject({ state: 'waiting', requestedBy: 'operator', input: { size: 21 } });
    expect(begun).toEqual([{ runId, input: { size: 21 } }]);
    expect(runId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/); // sorts by time
  });

  it('is refused while Temporal is known to be away, before anything is written', async () => {
    const runs = runsInMemory();
    const under = await start({ runs, workflows: { unavailable: () => Promise.resolve('it hangs') } });
    const { status, body } = await under.call('POST', '/api/jobs/example/runs', { as: 'operator', body: {} });
    expect([status, body.code]).toEqual([503, 'TEMPORAL_UNAVAILABLE']);
    expect(runs.rows.size).toBe(0);
  });

  it('is accepted though Temporal goes away meanwhile: it is written down, and the supervisor starts it', async () => {
    const under = await start({
      runs: runsInMemory(),
      workflows: { startJobRun: () => Promise.reject(new DermsError('TEMPORAL_UNAVAILABLE', 'away')) },
    });
    expect((await under.call('POST', '/api/jobs/example/runs', { as: 'operator', body: {} })).status).toBe(202);
    const failures = await under.ports.metrics.messageFailures.get();
    expect(failures.values.find(({ labels }) => labels.message === 'start-run')?.value).toBe(1);
  });

  it('points to every fault of the input, and writes nothing', async () => {
    const under = await start({}); // no port is expected to be used
    const { status, body } = await under.call('POST', '/api/jobs/example/runs', {
      as: 'operator',
      body: { size: 0, colour: 'red' },
    });
    expect([status, body.code]).toEqual([422, 'VALIDATION_FAILED']);
    expect(body.errors.map(({ pointer }) => pointer)).toEqual(['/size', '/colour']);
  });

  it('waits as long as it is told to, beyond what other requests may take, and answers with the result', async () => {
    const runs = runsInMemory();
    const under = await start({ runs, settings: { requestTimeoutMs: 300 } });
    const worker = setInterval(() => {
      for (const run of runs.rows.values())
        runs.rows.set(run.runId, aFinishedRun({ runId: run.runId, result: { doubled: 42 } }));
    }, 800);
    try {
      const { status, headers, body } = await under.call('POST', '/api/jobs/example/runs', {
        as: 'operator',
        body: {},
        headers: { prefer: 'respond-async, wait=5' },
      });
      expect([status, headers.get('preference-applied')]).toEqual([200, 'wait=5']);
      expect(body).toMatchObject({ state: 'succeeded', result: { doubled: 42 } });
    } finally {
      clearInterval(worker);
    }
  });

  it('is answered with 202 when the time is up, and at once when the process stops', async () => {
    let stopping = false;
    const under = await start({ runs: runsInMemory(), stopping: () => stopping });
    const ask = (wait: string) =>
      under.call('POST', '/api/jobs/example/runs', { as: 'operator', body: {}, headers: { prefer: wait } });
    expect((await ask('wait=1')).status).toBe(202);
    const from = performance.now();
    const waiting = ask('wait=60');
    setTimeout(() => (stopping = true), 300);
    expect((await waiting).status).toBe(202);
    expect(performance.now() - from).toBeLessThan(2_000);
  });

  it('is refused with a link while another one goes on', async () => {
    const under = await start({
      runs: {
        ...runsInMemory(aRun()),
        order: () => Promise.resolve({ outcome: 'taken', holders: [{ runId: RUN, workflowId: `job/example/${RUN}` }] }),
      },
    });
    const { status, headers, body } = await under.call('POST', '/api/jobs/example/runs', { as: 'operator', body: {} });
    expect([status, body.code, body['activeRun']]).toEqual([409, 'JOB_ALREADY_RUNNING', `/api/runs/${RUN}`]);
    expect(headers.get('link')).toBe(`</api/runs/${RUN}>; rel="related"`);
    expect(begun).toEqual([]);
  });

  it('settles a holder that was ended in Temporal, and goes on', async () => {
    const runs = runsInMemory(aRun());
    const settled: string[] = [];
    const under = await start({
      runs: {
        ...runs,
        order: (order) =>
          settled.length === 0
            ? Promise.resolve({ outcome: 'taken', holders: [{ runId: RUN, workflowId: `job/example/${RUN}` }] })
            : runs.order(order),
        closedAs: () => Promise.resolve({ state: 'terminated', failure: null }),
        settle: (runId, { state }) => {
          settled.push(`${runId} ${state}`);
          return Promise.resolve();
        },
      },
    });
    expect((await under.call('POST', '/api/jobs/example/runs', { as: 'operator', body: {} })).status).toBe(202);
    expect(settled).toEqual([`${RUN} terminated`]);
  });

  it('leaves a holder alone that is written down and not started yet', async () => {
    const under = await start({
      runs: {
        ...runsInMemory(aRun({ state: 'waiting', startedAt: null })),
        order: () => Promise.resolve({ outcome: 'taken', holders: [{ runId: RUN, workflowId: `job/example/${RUN}` }] }),
        closedAs: () => Promise.resolve({ state: 'failed', failure: { code: 'TEMPORAL_LOST_IT', message: 'unknown' } }),
      },
    });
    expect((await under.call('POST', '/api/jobs/example/runs', { as: 'operator', body: {} })).status).toBe(409);
  });
});

describe('running again', () => {
  it('takes the job and the input of that run', async () => {
    const orders: JobRunOrder[] = [];
    const runs = runsInMemory(aFinishedRun({ input: { size: 7 } }));
    const under = await start({
      runs: {
        ...runs,
        order: (order) => {
          orders.push(order);
          return runs.order(order);
        },
      },
    });
    expect((await under.call('POST', `/api/runs/${RUN}/run-again`, { as: 'operator' })).status).toBe(202);
    expect(orders).toEqual([expect.objectContaining({ jobName: 'example', input: { size: 7 }, againOf: RUN })]);
    const unknown = await under.call('POST', `/api/runs/${OTHER}/run-again`, { as: 'operator' });
    expect([unknown.status, unknown.body.code]).toEqual([404, 'RUN_NOT_FOUND']);
  });
});

describe('the list of runs', () => {
  it('begins with those that Temporal has made and no worker has begun', async () => {
    const workflowId = 'job/example/scheduled-2026-05-01T12:00:00Z';
    const runId = runIdOfWorkflow(workflowId);
    const startedAt = new Date('2026-05-01T12:00:00Z');
    const under = await start({
      runs: {
        ...runsInMemory(aFinishedRun()),
        openWorkflows: () =>
          Promise.resolve([{ workflowId, startedAt, scheduleId: 'job-example', nominalAt: startedAt }]),
        workersOf: () => Promise.resolve(0),
      },
    });
    const { body } = await under.call('GET', '/api/runs', { as: 'viewer' });
    expect(body.items).toMatchObject([
      { runId, state: 'waiting', origin: 'schedule', scheduleId: 'job-example', nominalAt: '2026-05-01T12:00:00.000Z' },
      { runId: RUN, state: 'succeeded' },
    ]);
    const one = await under.call('GET', `/api/runs/${runId}`, { as: 'viewer' });
    expect(one.body).toMatchObject({
      jobName: 'example',
      waitingFor: { what: 'worker', queue: 'jobs', since: '2026-05-01T12:00:00.000Z', workers: 0 },
    });
    const filtered = await under.call('GET', '/api/runs?state=running', { as: 'viewer' });
    expect(filtered.body.items).toEqual([expect.objectContaining({ runId: RUN })]);
  });

  it('refuses a cursor that is none of its own, and a state that there is not', async () => {
    const under = await start({ runs: runsInMemory() });
    for (const query of ['cursor=x', 'state=done', 'limit=0', 'colour=red'])
      expect((await under.call('GET', `/api/runs?${query}`, { as: 'viewer' })).status).toBe(422);
  });
});

describe('following a run', () => {
  const follow = (headers: Record<string, string> = {}) =>
    fetch(`${app!.url}/api/runs/${RUN}/events`, {
      headers: { ...bearer('viewer'), ...headers },
      signal: AbortSignal.timeout(10_000),
    });

  it('tells the story so far and as it goes on, progress without an id, and ends with the run', async () => {
    const runs = runsInMemory(aRun());
    await start({ runs });
    runs.tell('state', { state: 'running' });
    const stream = await follow();
    expect([stream.status, stream.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
    expect(stream.headers.get('cache-control')).toBe('no-store');
    runs.rows.set(RUN, aRun({ progress: { share: 0.5 } }));
    setTimeout(() => {
      runs.tell('state', { state: 'succeeded' });
      runs.rows.set(RUN, aFinishedRun({ result: 42 }));
    }, 1_200);
    expect((await stream.text()).split('\n\n').filter((block) => !block.startsWith(':'))).toEqual([
      'retry: 1000',
      'id: 1\nevent: state\ndata: {"at":"2026-05-01T12:00:02.000Z","state":"running"}',
      'event: progress\ndata: {"step":"run","attempt":1,"share":0.5}',
      'id: 2\nevent: state\ndata: {"at":"2026-05-01T12:00:02.000Z","state":"succeeded"}',
      'event: end\ndata: {"state":"succeeded","result":42,"failure":null}',
      '',
    ]);
  });

  it('goes on after the last event that was read', async () => {
    const runs = runsInMemory(aFinishedRun());
    await start({ runs });
    for (const state of ['waiting', 'running', 'succeeded']) runs.tell('state', { state });
    const text = await (await follow({ 'last-event-id': '2' })).text();
    expect([...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id)).toEqual(['3']);
    expect((await follow({ 'last-event-id': 'x' })).status).toBe(422);
  });

  it('ends at once when the process is told to stop', async () => {
    let stopping = false;
    await start({ runs: runsInMemory(aRun()), stopping: () => stopping });
    const stream = await follow();
    const from = performance.now();
    stopping = true;
    await stream.text();
    expect(performance.now() - from).toBeLessThan(1_500);
  });

  it('is for a bounded number of readers in all, whoever they are', async () => {
    await start({ runs: runsInMemory(aRun()) }); // three in all
    const end = new AbortController();
    const open = async (role: 'viewer' | 'operator' | 'admin'): Promise<number> =>
      (await fetch(`${app!.url}/api/runs/${RUN}/events`, { headers: bearer(role), signal: end.signal })).status;
    expect([await open('viewer'), await open('viewer'), await open('operator')]).toEqual([200, 200, 200]);
    expect(await open('admin')).toBe(429);
    end.abort();
  });

  it('is for a bounded number of readers, and gives the place of one that hangs up to the next', async () => {
    await start({ runs: runsInMemory(aRun()) }); // two per user
    const end = new AbortController();
    const open = () => fetch(`${app!.url}/api/runs/${RUN}/events`, { headers: bearer('viewer'), signal: end.signal });
    const streams = [await open(), await open()];
    const refused = await follow();
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([429, 'TOO_MANY_REQUESTS']);
    end.abort();
    await Promise.allSettled(streams.map((stream) => stream.text()));
    for (let attempt = 0; attempt < 50; attempt += 1) {
      const next = await fetch(`${app!.url}/api/runs/${RUN}/events`, { headers: bearer('viewer') });
      await next.body?.cancel();
      if (next.status === 200) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('the places were not given back');
  });

  it('needs a token, and a run that there is', async () => {
    await start({ runs: runsInMemory() });
    expect((await fetch(`${app!.url}/api/runs/${RUN}/events`)).status).toBe(401);
    expect((await follow()).status).toBe(404);
  });

  it('answers a question for its head without keeping the connection', async () => {
    await start({ runs: runsInMemory(aRun()) });
    const head = await fetch(`${app!.url}/api/runs/${RUN}/events`, {
      method: 'HEAD',
      headers: bearer('viewer'),
      signal: AbortSignal.timeout(2_000),
    });
    expect([head.status, head.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
  });
});
