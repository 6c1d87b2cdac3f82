import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { run } from '../../../cli/run';
import { readServerEvents } from '../../../cli/server-events';
import type { JobRunOrder } from '../../../db/job-orders';
import { defineJob, type JobDeclaration } from '../../../jobs/runner/declaration';
import { aUser, authenticationOf, startApp, tokensOf, type AppUnderTest, type Given } from '../api/app-under-test';
import { aFinishedRun, aRun, RUN, runsInMemory } from '../api/runs-in-memory';

// Against the real API, with plain objects behind it.

const PASSWORD = 'correct horse battery';
const declared = new Map<string, JobDeclaration>([
  [
    'example',
    defineJob({
      name: 'example',
      purpose: 'Stands for any job.',
      input: z.strictObject({ size: z.number().default(1) }),
      schedule: null,
      concurrency: { atMost: 1 },
      freshness: null,
      runbook: 'example.md',
      attemptSeconds: 60,
      attempts: 1,
      run: () => Promise.resolve(null),
    }),
  ],
]);

const users = [aUser('olga', 'admin', PASSWORD)];
let app: AppUnderTest | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

const startApi = async (given: Given, ttlSeconds = 60): Promise<void> => {
  const authentication = authenticationOf({ users, tokens: tokensOf({ ttlSeconds }) });
  const workflows = { startJobRun: () => Promise.resolve(), cancelJobRun: () => Promise.resolve() };
  app = await startApp({ authentication, jobs: { declared }, workflows, ...given });
};

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const derms = (...argv: string[]): Promise<Ran> => dermsAt(app?.url ?? '', argv);

async function dermsAt(url: string, argv: readonly string[]): Promise<Ran> {
  let out = '';
  let err = '';
  const code = await run(
    argv,
    {
      print: (text) => (out += `${text}\n`),
      input: Readable.from(['']),
      askSecret: () => Promise.reject(new Error('nobody is asked')),
      environment: { DERMS_API_URL: url, DERMS_USER: 'olga', DERMS_PASSWORD: PASSWORD },
      now: () => new Date('2026-05-01T12:00:11Z'),
    },
    (text) => (err += `${text}\n`),
  );
  return { code, out, err };
}

describe('job', () => {
  it('starts a run and says where it is; how it ends is not its business', async () => {
    const runs = runsInMemory();
    await startApi({ runs });
    const { code, out } = await derms('job', 'example', '--input', '{"size": 21}');
    expect(code).toBe(0);
    expect([...runs.rows.values()]).toMatchObject([{ jobName: 'example', input: { size: 21 }, requestedBy: 'olga' }]);
    expect(out).toMatch(/^Run [0-9a-f-]{36} of example: waiting since 11 s\n/);
  });

  it.each([
    ['succeeded', 0],
    ['failed', 1],
    ['cancelled', 1],
    ['terminated', 1],
    ['skipped', 4],
  ] as const)('that is waited for and has %s ends with exit code %i', async (state, exitCode) => {
    const runs = runsInMemory();
    await startApi({
      runs: {
        ...runs,
        order: (order) =>
          runs.order(order).then(({ outcome }) => {
            if (outcome !== 'accepted') throw new Error('not expected');
            const over = aFinishedRun({
              runId: order.runId,
              state,
              result: state === 'succeeded' ? { ok: true } : null,
            });
            return { outcome, run: over, repeated: false };
          }),
      },
    });
    expect((await derms('job', 'example', '--wait', '5')).code).toBe(exitCode);
  });

  it('that is not over in time ends with 3', async () => {
    await startApi({ runs: runsInMemory() });
    expect((await derms('job', 'example', '--wait', '1')).code).toBe(3);
  });

  it('says that no worker is there', async () => {
    await startApi({ runs: { ...runsInMemory(), workersOf: () => Promise.resolve(0) } });
    const { out } = await derms('job', 'example');
    expect(out).toContain('It waits for a worker of queue jobs since 2026-05-01T12:00:00.000000Z; none is there.');
  });

  it('shows the run as it goes on with --follow, and ends as it ends', async () => {
    const runs = runsInMemory();
    await startApi({ runs });
    const worker = setInterval(() => {
      if (runs.rows.size === 0) return; // it is still asked for
      if (runs.rows.size === 0) return; // nobody has ordered it yet
      clearInterval(worker);
      runs.tell('state', { state: 'running' });
      runs.tell('step', { step: 'run', attempt: 2, what: 'started', detail: null });
      runs.tell('log', { level: 'warn', message: 'slow disk', fields: { ms: 812 } });
      runs.tell('state', { state: 'failed', failure: { code: 'STORE_FULL', message: 'no room' } });
      for (const { runId } of runs.rows.values())
        runs.rows.set(
          runId,
          aFinishedRun({
            ...{ runId, state: 'failed', failure: { code: 'STORE_FULL', message: 'no room' } },
            progress: { doneBytes: 12e6, totalBytes: 48e6, note: 'dumping telemetry' },
          }),
        );
    }, 20);
    const { code, out } = await derms('job', 'example', '--follow');
    clearInterval(worker);
    expect(code).toBe(1);
    const clock = new Date('2026-05-01T12:00:02Z').toTimeString().slice(0, 8);
    expect(out.split('\n').slice(1)).toEqual([
      `${clock}  running`,
      `${clock}  step run started (attempt 2)`,
      `${clock}  warn: slow disk ms=812`,
      `${clock}  failed: STORE_FULL, no room`,
      '          25 %, 12.0 of 48.0 MB, dumping telemetry',
      expect.stringMatching(/^Run [0-9a-f-]{36} of example: failed after 4 s: STORE_FULL, no room$/),
      '',
    ]);
  });

  it('takes the input of another run with --again, if it is one of that job', async () => {
    const orders: JobRunOrder[] = [];
    const runs = runsInMemory(aFinishedRun({ input: { size: 7 } }));
    await startApi({
      runs: {
        ...runs,
        order: (order) => {
          orders.push(order);
          return runs.order(order);
        },
      },
    });
    expect((await derms('job', 'example', '--again', RUN)).code).toBe(0);
    expect(orders).toEqual([expect.objectContaining({ input: { size: 7 }, againOf: RUN })]);
    expect((await derms('job', 'other', '--again', RUN)).err).toBe(`Run ${RUN} is one of example, not of other.\n`);
  });

  it('names the run that goes on, when the job takes no other', async () => {
    await startApi({
      runs: {
        ...runsInMemory(aRun()),
        order: () => Promise.resolve({ outcome: 'taken', holders: [{ runId: RUN, workflowId: 'w' }] }),
      },
    });
    const { code, err } = await derms('job', 'example');
    expect([code, err]).toEqual([1, expect.stringContaining(`follow it: npm run derms -- run ${RUN} --follow`)]);
  });

  it('says what is wrong with the command before anything is sent', async () => {
    await startApi({});
    expect(await derms('job', 'example', '--input', '{size')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--input is not JSON'),
    });
    for (const wait of ['0', '61', 'long']) expect((await derms('job', 'example', '--wait', wait)).code).toBe(2);
    expect((await derms('job', 'example', '--follow', '--wait', '5')).code).toBe(2);
  });
});

describe('following', () => {
  it('goes on after the last event when the stream breaks, and logs in again when its token has run out', async () => {
    const runs = runsInMemory(aRun());
    for (const message of ['one', 'two', 'three']) runs.tell('log', { level: 'info', message, fields: {} });
    await startApi({ runs });
    let streams = 0;
    let logins = 0;
    // Between the two, as a proxy is: breaks the first stream off after two events, and refuses the token of the second.
    const proxy = createServer((request, response) => {
      const path = request.url ?? '';
      if (path === '/api/auth/login') logins += 1;
      if (path.endsWith('/events')) streams += 1;
      if (path.endsWith('/events') && streams === 2) {
        response.writeHead(401, { 'content-type': 'application/problem+json' });
        response.end(JSON.stringify({ code: 'UNAUTHENTICATED', title: 'Not logged in', detail: 'expired' }));
        return;
      }
      void (async () => {
        const body = await new Response(Readable.toWeb(request) as ReadableStream).text();
        const answer = await fetch(`${app!.url}${path}`, {
          method: request.method!,
          headers: Object.fromEntries(
            ['authorization', 'content-type', 'last-event-id'].flatMap((name) => {
              const value = request.headers[name];
              return typeof value === 'string' ? [[name, value]] : [];
            }),
          ),
          ...(request.method === 'GET' ? {} : { body }),
        });
        response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type')! });
        let told = '';
        for await (const chunk of answer.body!) {
          told += Buffer.from(chunk).toString();
          if (streams === 1 && told.includes('id: 3')) {
            response.write(told.slice(0, told.indexOf('id: 3')));
            setTimeout(() => response.destroy(), 50);
            runs.rows.set(RUN, aFinishedRun());
            return;
          }
          if (streams !== 1) response.write(chunk);
        }
        response.end(streams === 1 ? told : '');
      })();
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.address() as AddressInfo;
    const { code, out } = await dermsAt(`http://127.0.0.1:${String(port)}`, ['run', RUN, '--follow']);
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
    expect([code, logins]).toEqual([0, 2]);
    expect([...out.matchAll(/(one|two|three)$/gm)].map(([word]) => word)).toEqual(['one', 'two', 'three']);
  });

  it('reads events that come in pieces, skips comments, and ends when nothing comes any more', async () => {
    const pieces = [
      'retry: 1000\n\nid: 1\nev',
      'ent: log\ndata: {"a":"ü',
      '"}\n\n: still here\n\n',
      'event: end\ndata: 1\n\n',
    ];
    async function* body() {
      for (const piece of pieces) {
        const bytes = Buffer.from(piece);
        yield bytes.subarray(0, 5);
        yield bytes.subarray(5);
        await Promise.resolve();
      }
      await new Promise(() => undefined); // silent for ever
    }
    const events = [];
    for await (const event of readServerEvents(body(), 200)) events.push(event);
    expect(events).toEqual([
      { id: '1', event: 'log', data: '{"a":"ü"}' },
      { id: null, event: 'end', data: '1' },
    ]);
  });
});

describe('jobs, runs and run', () => {
  it('show every job, the newest runs, and one run with its story', async () => {
    const runs = runsInMemory(aFinishedRun({ input: { size: 2 }, result: { doubled: 4 } }));
    runs.tell('step', { step: 'run', attempt: 1, what: 'succeeded', detail: null });
    runs.tell('log', { level: 'info', message: 'working', fields: { size: 2 } });
    await startApi({ runs });
    expect((await derms('jobs')).out).toMatch(/^example +when asked +- +- +Stands for any job\.$/m);
    expect((await derms('runs', '--job', 'example')).out).toContain(
      `${RUN}  example  2026-05-01T12:00:00  operator  succeeded in 4 s`,
    );
    const { code, out } = await derms('run', RUN);
    expect(code).toBe(0);
    expect(out).toContain(`Run ${RUN} of example: succeeded in 4 s\n  asked by operator at`);
    expect(out).toContain('  step run: succeeded\n');
    expect(out).toContain('working size=2\n');
    expect(out).toContain('{\n  "doubled": 4\n}');
    expect(JSON.parse((await derms('run', RUN, '--json')).out)).toMatchObject({ runId: RUN, state: 'succeeded' });
  });
});

describe('cancel-run', () => {
  it('asks with a reason, and says what comes of it', async () => {
    await startApi({ runs: { ...runsInMemory(), cancel: () => Promise.resolve(aRun()) } });
    expect((await derms('cancel-run', RUN, '--reason', 'wrong input')).out).toContain('Asked to stop');
    expect((await derms('cancel-run', RUN)).err).toContain('--reason is needed');
  });
});

describe('schedules and schedule', () => {
  const nightly = {
    ...{ scheduleId: 'job-example', jobName: 'example', cron: '15 2 * * *', overlap: 'skip' as const },
    ...{ catchUpSeconds: 43_200, declaredAt: '2026-04-01T00:00:00.000Z', auditedUntilMs: 0 },
  };
  const aTick = { runId: null, runState: null, lateSeconds: null, detail: null };
  const schedules: NonNullable<Given['schedules']> = {
    list: () => Promise.resolve([nightly]),
    pauses: () => Promise.resolve([]),
    ticks: () =>
      Promise.resolve([
        {
          ...{ nominalAt: '2026-05-01T02:15:00.000Z', outcome: 'ran', runId: RUN, runState: 'failed' },
          ...{ lateSeconds: 312.4, detail: 'waited 312 s for a worker; STORE_FULL, no room' },
        },
        { ...aTick, nominalAt: '2026-04-30T02:15:00.000Z', outcome: 'missed' },
        { ...aTick, nominalAt: '2026-04-29T02:15:00.000Z', outcome: 'paused', detail: 'olga: works' },
      ]),
  };

  it('show when each runs next, what became of its last time, and of the ten before', async () => {
    await startApi({ schedules });
    const { code, out } = await derms('schedules');
    expect(code).toBe(0);
    expect(out.split('\n')[1]).toMatch(
      /^job-example {2}15 2 \* \* \* +20\d\d-\d\d-\d\d 02:15:00 {2}2026-05-01 02:15:00 {2}ran, failed +1 ran, 1 missed, 1 paused$/,
    );
  });

  it('show one with each of its last times in words, and its next ones', async () => {
    await startApi({ schedules });
    const { code, out } = await derms('schedule', 'show', 'job-example');
    expect(code).toBe(0);
    expect(out.split('\n').slice(0, 7)).toEqual([
      'job-example: 15 2 * * *, UTC. A tick is caught up with within 12 h; while the run before it goes on it is skipped.',
      '',
      'last',
      `  2026-05-01 02:15:00  ran, failed  5 min late  run ${RUN}  waited 312 s for a worker; STORE_FULL, no room`,
      '  2026-04-30 02:15:00  missed',
      expect.stringMatching(/^ {2}2026-04-29 02:15:00 {2}paused +olga: works$/),
      '',
    ]);
    expect(out).toMatch(/next\n( {2}20\d\d-\d\d-\d\d 02:15:00 {2}in .*\n){10}$/);
  });

  it('say first of all that one is paused, by whom and why', async () => {
    const pause = { fromMs: Date.parse('2026-04-29T01:00:00Z'), untilMs: null, note: 'olga: works' };
    await startApi({ schedules: { ...schedules, pauses: () => Promise.resolve([pause]) } });
    expect((await derms('schedules')).out).toContain('paused: olga: works');
    expect((await derms('schedule', 'show', 'job-example')).out.split('\n')[1]).toBe(
      'Paused since 2026-04-29 01:00:00: olga: works. Nothing below under "next" runs.',
    );
    expect((await derms('schedule', 'stop', 'job-example')).code).toBe(2);
  });
});
