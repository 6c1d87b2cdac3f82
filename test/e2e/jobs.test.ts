import { join } from 'node:path';
import type { Database } from '../../db/pool';
import { startTemporal } from '../../local/temporal';
import { startTestSystem, type TestSystem } from '../../local/test-system';
import { buildWithJobs, jobFile, type BuildWithJobs } from '../support/build-with-jobs';
import { eventually } from '../support/servers';
import { apiAs, databaseOf, metric, sleep } from './support';
import { processesWithArgument } from '../../servers/process-tree';

let build: BuildWithJobs;
let system: TestSystem;
let db: Database;
let operator: Awaited<ReturnType<typeof apiAs>>;

beforeAll(() => {
  build = buildWithJobs([jobFile(join(__dirname, 'jobs/hold-a-child.ts'))]);
});
afterAll(() => {
  build.remove();
});
beforeEach(async () => {
  system = await startTestSystem({ dist: build.dist });
  db = databaseOf(system);
  await system.start('api');
  operator = await apiAs(system, 'operator');
}, 60_000);
afterEach(async () => {
  await db.close();
  await system.stop();
}, 30_000);

interface Line {
  readonly message: string;
  readonly fields: { readonly pid?: number };
}

const start = async (input: object = {}): Promise<string> => {
  const { status, body } = await operator('POST', '/api/jobs/hold-a-child/runs', input);
  expect(status).toBe(202);
  return String(body['runId']);
};
const read = async (runId: string) => (await operator('GET', `/api/runs/${runId}`)).body;
const stateOf = async (runId: string): Promise<unknown> => (await read(runId))['state'];
/** The child of the newest attempt. */
const childOf = (runId: string): Promise<number> =>
  eventually(async () => {
    const lines = (await read(runId))['log'] as Line[];
    const pid = lines.findLast(({ message }) => message === 'child started')?.fields.pid;
    expect(pid).toBeDefined();
    return pid!;
  }, 30_000);
const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
/** The process of the role, which the worker's own starts. */
const jobsRole = (): number => {
  const [pid] = processesWithArgument(join(build.dist, 'worker/roles/jobs'));
  if (pid === undefined) throw new Error('no process of the role jobs');
  return pid;
};

it('a run waits with no worker there, says so and since when, and runs when one comes', async () => {
  const runId = await start({ attempts: 0 });
  const waiting = await read(runId);
  expect(waiting).toMatchObject({
    state: 'waiting',
    waitingFor: { what: 'worker', queue: 'jobs', since: waiting['requestedAt'], workers: 0 },
  });
  expect((await operator('GET', '/api/runs?state=waiting')).body['items']).toEqual([
    expect.objectContaining({ runId, jobName: 'hold-a-child' }),
  ]);
  expect(waiting['temporalUrl']).toBe(
    `${system.environments.api['TEMPORAL_UI_URL']!}/namespaces/derms/workflows/${encodeURIComponent(`job/hold-a-child/${runId}`)}`,
  );
  await sleep(2_000);
  expect(await stateOf(runId)).toBe('waiting');
  const ofQueue = (name: string) => metric(`${system.apiUrl}/metrics`, name, { queue: 'jobs' });
  await eventually(async () => {
    expect(await ofQueue('derms_job_queue_backlog')).toBe(1);
    expect(await ofQueue('derms_job_queue_oldest_waiting_seconds')).toBeGreaterThan(2);
  });
  await system.start('worker');
  await eventually(async () => expect(await stateOf(runId)).toBe('succeeded'), 20_000);
  expect(await read(runId)).toMatchObject({ result: { attempt: 1 }, waitingFor: null });
  await eventually(async () => expect(await ofQueue('derms_job_queue_backlog')).toBe(0));
}, 60_000);

it('a run that is cancelled goes through requested, acknowledged and stopped, and its child process is gone', async () => {
  await system.start('worker');
  const runId = await start();
  const pid = await childOf(runId);
  expect(isThere(pid)).toBe(true);
  const events = fetch(`${system.apiUrl}/api/runs/${runId}/events`, {
    headers: { authorization: `Bearer ${await system.signIn('viewer')}` },
    signal: AbortSignal.timeout(30_000),
  }).then((response) => response.text());

  const second = await operator('POST', '/api/jobs/hold-a-child/runs', {});
  expect([second.status, second.body['activeRun']]).toEqual([409, `/api/runs/${runId}`]);

  const { status, body } = await operator('POST', `/api/runs/${runId}/cancel`, { reason: 'wrong target' });
  expect([status, body['cancel']]).toEqual([200, expect.objectContaining({ requestedBy: 'operator' })]);
  const story = await events; // ends with the run
  expect(isThere(pid)).toBe(false);
  expect(await read(runId)).toMatchObject({
    state: 'cancelled',
    cancel: { state: 'stopped', reason: 'wrong target' },
    steps: [{ state: 'stopped' }],
  });
  expect([...story.matchAll(/^event: cancel\ndata: .*"what":"(\w+)"/gm)].map(([, what]) => what)).toEqual([
    'requested',
    'acknowledged',
    'stopped',
  ]);
  expect(story).toMatch(/^event: progress\ndata: .*"doneBytes":1000000/m);
  expect(await start({ attempts: 0 })).not.toBe(runId); // its place is free
}, 60_000);

it('a run whose worker is killed is taken up by the next one, and fails truthfully when its attempts are used up', async () => {
  await system.start('worker');
  const runId = await start({ attempts: 1 });
  const pid = await childOf(runId);
  process.kill(jobsRole(), 'SIGKILL');
  await eventually(() => expect(isThere(pid)).toBe(false));
  expect(await stateOf(runId)).toBe('running');
  await eventually(async () => expect(await stateOf(runId)).toBe('succeeded'), 40_000);
  expect(await read(runId)).toMatchObject({ result: { attempt: 2 }, steps: [{ state: 'succeeded', attempts: 2 }] });

  const unlucky = await start({ attempts: 2 });
  const first = await childOf(unlucky);
  process.kill(jobsRole(), 'SIGKILL');
  await eventually(async () => expect(await childOf(unlucky)).not.toBe(first), 40_000);
  process.kill(jobsRole(), 'SIGKILL');
  await eventually(async () => expect(await stateOf(unlucky)).toBe('failed'), 40_000);
  expect(await read(unlucky)).toMatchObject({
    failure: {
      code: 'WORKER_LOST',
      message: 'its worker gave no sign of life for 10 s, in the last of its attempts',
    },
    steps: [{ state: 'stopped', attempts: 2 }],
  });
  expect(await start({ attempts: 0 })).not.toBe(unlucky);
}, 150_000);

it('a run that was written down by an API that died before it started its workflow runs all the same, once', async () => {
  const { port } = system.stack.temporal;
  // The API has seen that Temporal is there, and is about to write the run down; then Temporal hangs.
  const asked = await db.transaction(async (tx) => {
    await tx.query('lock table job_runs in exclusive mode');
    const response = operator('POST', '/api/jobs/hold-a-child/runs', { attempts: 0 }).catch(() => null); // nobody is told
    await eventually(async () => {
      const { rows } = await db.query(
        "select from pg_locks where relation = 'job_runs'::regclass and mode = 'RowExclusiveLock' and not granted",
      );
      expect(rows).toHaveLength(1);
    });
    system.stack.temporal.suspend();
    return { response };
  });
  const runId = await eventually(async () => {
    const { rows } = await db.query<{ run_id: string }>('select run_id from job_runs');
    expect(rows).toHaveLength(1);
    return rows[0]!.run_id;
  });
  await system.running('api').kill();
  await system.stack.temporal.kill();
  await asked.response;
  const temporal = await startTemporal({ headless: true, port });
  try {
    await sleep(5_000); // a request is given this long to start its own workflow
    await Promise.all([system.start('api'), system.start('worker')]);
    operator = await apiAs(system, 'operator');
    await eventually(async () => expect(await stateOf(runId)).toBe('succeeded'), 75_000, 250);
    const { rows } = await db.query<{ n: string }>(
      `select count(*) as n from job_run_events where kind = 'step' and data ->> 'what' = 'started'`,
    );
    expect(rows[0]?.n).toBe('1');
  } finally {
    await temporal.stop();
  }
}, 150_000);
