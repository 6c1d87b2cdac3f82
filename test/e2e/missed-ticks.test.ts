import { join } from 'node:path';
import type { Database } from '../../db/pool';
import { startTemporal, type TemporalServer } from '../../local/temporal';
import { startTestSystem, type TestSystem } from '../../local/test-system';
import { buildWithJobs, jobFile, type BuildWithJobs } from '../support/build-with-jobs';
import { eventually } from '../support/servers';
import { apiAs, databaseOf, metric, sleep } from './support';

// Temporal with its data in a file, as in production: it is killed and comes back as it was.

// An hour, a second of it for each minute: a job of each second with a window of ten seconds, and sixty seconds without Temporal,
// is to the server what a job of each minute with a window of ten minutes is in an hour, since it looks at nothing but which
// nominal times have gone by and how old each is. (No window of its is shorter than ten seconds.) What the audit makes of the
// whole hour, minute by minute, is in test/adapter/db/tick-audit.test.ts, with the same sixty ticks and the same window of ten.
const AWAY_SECONDS = 60;
const WINDOW_SECONDS = 10;
/** A loaded machine takes its time between the kill and the note of it, and until all is up again. */
const SLACK_SECONDS = 15;
const GRACE_SECONDS = 5;
const SCHEDULE = 'job-each-second';

let build: BuildWithJobs;
let system: TestSystem;
let db: Database;
let temporal: TemporalServer;
let operator: Awaited<ReturnType<typeof apiAs>>;

beforeAll(async () => {
  build = buildWithJobs([jobFile(join(__dirname, 'jobs/each-second.ts'))]);
  // Others would wait for the worker that is taken away.
  const off = ['backup-verify', 'db-backup', 'mqtt-backup', 'restore-drill', 'telemetry-retention', 'tick-audit'];
  system = await startTestSystem({
    dist: build.dist,
    env: { JOB_SCHEDULES: JSON.stringify(Object.fromEntries(off.map((name) => [name, 'off']))) },
  });
  db = databaseOf(system);
  const { port } = system.stack.temporal;
  await system.stack.temporal.kill();
  await startOnFile(port);
  await Promise.all([system.start('api'), system.start('worker')]);
  operator = await apiAs(system, 'operator');
}, 120_000);
afterAll(async () => {
  await db.close();
  for (const program of ['worker', 'api'] as const) await system.running(program).stop();
  await temporal.stop();
  await system.stop();
  build.remove();
}, 60_000);

async function startOnFile(port: number): Promise<void> {
  temporal = await startTemporal({ headless: true, port, dbFile: join(system.stack.folder, 'temporal.db') });
}

interface Tick {
  readonly nominal_at: Date;
  readonly outcome: string;
  readonly run_id: string | null;
  readonly late_seconds: number | null;
  readonly detail: string | null;
}
const ticksBetween = async (fromMs: number, untilMs: number): Promise<Tick[]> => {
  const { rows } = await db.query<Tick & Record<string, unknown>>(
    'select * from schedule_ticks where schedule_id = $1 and nominal_at > $2 and nominal_at <= $3 order by nominal_at',
    [SCHEDULE, new Date(fromMs), new Date(untilMs)],
  );
  return rows;
};
const outcomes = (ticks: readonly Tick[]): string[] => ticks.map(({ outcome }) => outcome);
const isWithin =
  (fromMs: number, untilMs: number) =>
  ({ nominal_at: at }: Tick): boolean =>
    at.getTime() > fromMs && at.getTime() <= untilMs;
const gauge = (name: string): Promise<number | undefined> =>
  metric(`${system.apiUrl}/metrics`, name, { schedule: SCHEDULE });
const succeeded = async (sinceMs: number): Promise<number> => {
  const { rows } = await db.query<{ n: string }>(
    `select count(*) as n from job_runs where job_name = 'each-second' and state = 'succeeded' and nominal_at > $1`,
    [new Date(sinceMs)],
  );
  return Number(rows[0]?.n);
};
/** Accounts for all that is older than the grace, and returns up to when. */
async function audit(): Promise<number> {
  const headers = { prefer: 'wait=30' };
  const { status, body } = await operator(
    'POST',
    '/api/jobs/tick-audit/runs',
    { graceSeconds: GRACE_SECONDS },
    headers,
  );
  expect([status, body['state']]).toEqual([200, 'succeeded']);
  const { rows } = await db.query<{ audited_until: Date }>(
    'select audited_until from schedules where schedule_id = $1',
    [SCHEDULE],
  );
  return rows[0]!.audited_until.getTime();
}
/** A run that is under way when its worker goes is no run that waits for one. */
async function stopWorkerBetweenRuns(): Promise<void> {
  const told = (act: 'pause' | 'resume') =>
    operator('POST', `/api/schedules/${SCHEDULE}/${act}`, { reason: 'the worker is taken away' });
  expect((await told('pause')).status).toBe(200);
  await sleep(1_500); // what was started in the last second is in Postgres
  await eventually(async () => {
    const { rows } = await db.query("select from job_runs where job_name = 'each-second' and finished_at is null");
    expect(rows).toHaveLength(0);
  });
  await system.running('worker').stop();
  expect((await told('resume')).status).toBe(200);
}
/** None without a row: the metric says so, and it is so. */
async function nothingIsSilent(fromMs: number, untilMs: number): Promise<void> {
  const ticks = await ticksBetween(fromMs, untilMs);
  expect(ticks).toHaveLength(Math.floor(untilMs / 1000) - Math.floor(fromMs / 1000));
  await eventually(async () => expect(await gauge('derms_schedule_ticks_unaccounted')).toBe(0));
}

it('an hour without Temporal, in seconds for minutes: ticks are missed, those in the window run once, and none is without a row', async () => {
  await eventually(async () => expect(await succeeded(0)).toBeGreaterThan(2), 60_000, 250);
  const { port } = temporal;
  await temporal.kill();
  const leftMs = Date.now();
  await sleep(AWAY_SECONDS * 1_000);
  const shown = await operator('GET', `/api/schedules/${SCHEDULE}`); // it answers meanwhile
  expect(shown.body['last']).toContainEqual(expect.objectContaining({ outcome: 'due' }));
  const backMs = Date.now();
  await startOnFile(port);
  await eventually(async () => expect(await succeeded(backMs + 6_000)).toBeGreaterThan(2), 60_000, 250);
  await sleep(GRACE_SECONDS * 1_000);

  const untilMs = await audit();
  await nothingIsSilent(leftMs - 2_000, untilMs);
  const ticks = await ticksBetween(leftMs, untilMs);
  // What it looks at when it is back, and what it makes of it: the first one that is young enough runs, and is late.
  const late = ticks.find(({ outcome, late_seconds: s }) => outcome === 'ran' && (s ?? 0) > 2)!;
  expect(late.nominal_at.getTime()).toBeGreaterThan(leftMs + (AWAY_SECONDS - WINDOW_SECONDS - 5) * 1_000);
  expect(late.late_seconds).toBeLessThan(WINDOW_SECONDS + SLACK_SECONDS);
  expect(late.detail).toMatch(/^started \d+ s late/);
  const lost = ticks.filter(isWithin(leftMs + 1_000, late.nominal_at.getTime() - 1));
  expect(lost.length).toBeGreaterThan(AWAY_SECONDS - WINDOW_SECONDS - SLACK_SECONDS);
  expect(new Set(outcomes(lost))).toEqual(new Set(['missed']));
  const madeUpFor = ticks.filter(({ run_id: runId, outcome }) => runId === late.run_id && outcome === 'skipped');
  expect(madeUpFor.length).toBeGreaterThan(2);
  expect(new Set(madeUpFor.map(({ detail }) => detail))).toContain('made up for by the run before it, which was late');
  const { rows: twice } = await db.query(
    'select nominal_at from job_runs where schedule_id = $1 group by nominal_at having count(*) > 1',
    [SCHEDULE],
  );
  expect(twice).toEqual([]);
  const missed = (await ticksBetween(0, untilMs)).filter(({ outcome }) => outcome === 'missed').length;
  await eventually(async () => expect(await gauge('derms_schedule_missed_ticks_total')).toBe(missed));
}, 300_000);

it('with no worker of the jobs role a run waits, those behind it are skipped, and it runs late when one comes', async () => {
  await stopWorkerBetweenRuns();
  const leftMs = Date.now();
  await sleep(12_000);
  const last = (await operator('GET', `/api/schedules/${SCHEDULE}`)).body['last'] as { outcome: string }[];
  expect(last.filter(({ outcome }) => outcome !== 'skipped' && outcome !== 'waiting')).toEqual([]);
  let waiting: { runId: string; origin: string } | undefined;
  await eventually(async () => {
    const { body } = await operator('GET', '/api/runs?state=waiting');
    [waiting] = body['items'] as { runId: string; origin: string }[];
    expect(waiting?.origin).toBe('schedule');
  }, 20_000);
  await system.start('worker');
  await eventually(async () => expect(await succeeded(Date.now() - 3_000)).toBeGreaterThan(0), 60_000, 250);
  await sleep(GRACE_SECONDS * 1_000 + 1_000);

  const untilMs = await audit();
  await nothingIsSilent(leftMs, untilMs);
  const ticks = await ticksBetween(leftMs - 1_000, untilMs);
  const waited = ticks.find(({ run_id: runId, outcome }) => runId === waiting?.runId && outcome === 'ran')!;
  expect(waited.late_seconds).toBeGreaterThan(10);
  expect(waited.detail).toMatch(/waited \d+ s for a worker$/);
  expect(outcomes(ticks)).not.toContain('missed');
}, 120_000);

it('ticks of a pause are paused, with who and why, and are not made up for', async () => {
  const pause = await operator('POST', `/api/schedules/${SCHEDULE}/pause`, { reason: 'the meters are exchanged' });
  expect(pause.status).toBe(200);
  const fromMs = Date.now();
  await sleep(5_000);
  const untilMs = Date.now();
  await operator('POST', `/api/schedules/${SCHEDULE}/resume`, { reason: 'done' });
  await sleep(GRACE_SECONDS * 1_000 + 2_000);
  await nothingIsSilent(fromMs, await audit());
  const ticks = await ticksBetween(fromMs, untilMs - 1_000);
  expect(new Set(ticks.map(({ outcome, detail }) => `${outcome}: ${detail ?? ''}`))).toEqual(
    new Set(['paused: operator: the meters are exchanged']),
  );
}, 60_000);
