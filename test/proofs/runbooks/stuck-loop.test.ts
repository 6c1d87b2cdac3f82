import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import type { Database } from '../../../db/pool';
import { METRICS_OFFSETS, WORKER_ROLES } from '../../../local/ports';
import type { TestSystem } from '../../../local/test-system';
import { databaseOf, metric, startDemo } from '../../e2e/support';
import { buildWithJobs, type BuildWithJobs } from '../../support/build-with-jobs';
import { commandsOf, type RunbookCommand } from '../../support/runbook-commands';
import { eventually } from '../../support/servers';
import { terminalOf, type Answer, type Terminal } from '../../support/typed-commands';

// A control loop is stuck in each of the ways that the page tells, seen by what the page says to look at, and healed by what it
// says to type; nothing else is typed. Real Temporal, PostgreSQL and processes; a build that does not fit is a real one.

const PAGE = 'control-loop-health.md';
const NORTH = 'substation-north';
const SOUTH = 'substation-south';
/** Generous: the machine does much else. */
const WITHIN_MS = 240_000;

let build: BuildWithJobs;
let system: TestSystem;
let db: Database;
let terminal: Terminal;

beforeAll(async () => {
  build = buildWithJobs([]);
  system = await startDemo({ dist: build.dist });
  db = databaseOf(system);
  terminal = await terminalOf(system);
  for (const root of [NORTH, SOUTH]) await inTime(root);
}, 300_000);
afterAll(async () => {
  await db.close();
  await system.stop();
  build.remove();
}, 60_000);

const commands = commandsOf(PAGE);
/** The command of the page that has all these words in it; there is one. */
function said(...words: readonly string[]): RunbookCommand {
  const found = commands.filter(({ text }) => words.every((word) => text.includes(word)));
  const [first, ...others] = found;
  if (first === undefined) throw new Error(`${PAGE} does not say ${words.join(' ')}`);
  if (others.some(({ text }) => text !== first.text)) throw new Error(`${PAGE} says ${words.join(' ')} in two ways`);
  return first;
}
const type = (command: RunbookCommand, feeder = NORTH, more: Record<string, string> = {}): Promise<Answer> =>
  terminal.type(command, { ...more, FEEDER: feeder });

const health = (feeder: string): Promise<number | undefined> =>
  metric(`${system.apiUrl}/metrics`, 'derms_control_loop_ok', { feeder });
const inTime = (feeder: string): Promise<void> =>
  eventually(async () => expect([feeder, await health(feeder)]).toEqual([feeder, 1]), WITHIN_MS, 500);

/** Since that moment, how often the loop has planned, and in how many chains. */
async function cyclesSince(feeder: string, since: Date): Promise<{ cycles: number; chains: number }> {
  const { rows } = await db.query<{ cycles: number; chains: number }>(
    `select count(*)::int as cycles, count(distinct chain_id)::int as chains
       from control_cycles where root_feeder_id = $1 and planned_at > $2`,
    [feeder, since],
  );
  return rows[0]!;
}
async function chainOf(feeder: string): Promise<string> {
  const { out } = await type(said('curl', 'FEEDER/control-loop" -H'), feeder);
  return (JSON.parse(out) as { last: { chainId: string } }).last.chainId;
}

it('a plan that hangs on a lock is seen by its summary, and goes on when the session that holds it is ended', async () => {
  const { host, port, superuser: user, password } = system.stack.postgres;
  const holder = new Client({ host, port, user, password, database: system.environments.worker['DB_NAME'] });
  holder.on('error', () => undefined); // its session is ended
  await holder.connect();
  await holder.query('begin');
  await holder.query('select 1 from control_loops where root_feeder_id = $1 for update', [NORTH]);

  await eventually(async () => expect(await health(NORTH)).toBe(0), WITHIN_MS, 500);
  await inTime(SOUTH);
  await eventually(async () => {
    const { out } = await type(said('curl', 'FEEDER/control-loop" -H'));
    expect(out).toMatch(/"outcome":"failed"[^}]*(statement timeout|timed out)/);
  }, WITHIN_MS);

  let session = '';
  await eventually(async () => {
    const { code, out } = await type(said('pg_blocking_pids', 'xact_start'));
    expect([code, out]).toEqual([0, expect.stringContaining('idle in transaction')]);
    const rows = JSON.parse(out) as { pid: number; waits_for: number[] }[];
    const holding = rows.filter(({ waits_for: waitsFor }) => waitsFor.length === 0);
    expect(holding).toHaveLength(1);
    session = String(holding[0]?.pid);
  }, WITHIN_MS);
  expect((await type(said('pg_terminate_backend'), NORTH, { SESSION: session })).code).toBe(0);
  await inTime(NORTH);
}, 600_000);

describe('a build that does not replay', () => {
  const bundle = (): string => join(build.dist, 'workflow-bundle.js');
  const CYCLE = 'const last = await runCycle(state, heard.stop);';
  let own: string;

  /** As a rollout does it: the worker ends, another build begins. */
  async function rollOut(workflows: string): Promise<void> {
    await system.running('worker').stop();
    writeFileSync(bundle(), workflows);
    await system.start('worker');
  }
  const withAnotherStep = (): string => {
    expect(own.split(CYCLE)).toHaveLength(2);
    return own.replace(CYCLE, `await (0, workflow_1.condition)(() => false, 1); ${CYCLE}`);
  };
  /** Temporal has tried its task more than once. */
  const isStuck = (feeder: string): Promise<void> =>
    eventually(async () => {
      const { out } = await type(said('temporal workflow describe'), feeder);
      const { pendingWorkflowTask } = JSON.parse(out) as { pendingWorkflowTask?: { attempt?: number } };
      expect(pendingWorkflowTask?.attempt ?? 1).toBeGreaterThan(1);
    }, WITHIN_MS);

  beforeAll(() => {
    own = readFileSync(bundle(), 'utf8');
  });

  it('stops the loops, shows as a failing task, and going back lets them go on where they stood', async () => {
    const chains = await Promise.all([NORTH, SOUTH].map(chainOf));
    await rollOut(withAnotherStep());
    for (const root of [NORTH, SOUTH]) await isStuck(root);
    const sdk = system.ports.metrics + METRICS_OFFSETS.workerSdk + 1 + WORKER_ROLES.indexOf('control');
    const failed = await metric(
      `http://127.0.0.1:${String(sdk)}/metrics`,
      'temporal_workflow_task_execution_failed_total',
      {
        workflow_type: 'controlLoop',
        task_queue: 'control',
      },
    );
    expect(failed).toBeGreaterThan(0);

    await rollOut(own); // what `kubectl rollout undo` does
    const since = new Date();
    for (const root of [NORTH, SOUTH]) {
      await eventually(async () => expect((await cyclesSince(root, since)).cycles).toBeGreaterThan(1), WITHIN_MS, 500);
      await inTime(root);
    }
    expect(await Promise.all([NORTH, SOUTH].map(chainOf))).toEqual(chains);
  }, 900_000);

  it('that cannot be gone back from gets loops without a history', async () => {
    const chain = await chainOf(NORTH);
    await rollOut(withAnotherStep());
    await isStuck(NORTH);
    const since = new Date();
    expect((await cyclesSince(NORTH, since)).cycles).toBe(0);

    expect(await type(said('temporal workflow terminate'))).toMatchObject({ code: 0 });
    expect(await type(said('curl -s -X POST', '/control-loop/start'))).toMatchObject({ code: 0 });
    await eventually(async () => expect((await cyclesSince(NORTH, since)).cycles).toBeGreaterThan(1), WITHIN_MS, 500);
    await inTime(NORTH);
    expect(await chainOf(NORTH)).not.toBe(chain);
  }, 900_000);
});

it('a worker that hangs has no pollers after a minute, answers no probe, and is replaced when it is killed', async () => {
  const log = readFileSync(join(system.stack.folder, 'worker.log'), 'utf8').trimEnd().split('\n');
  const started = log
    .map((line) => JSON.parse(line) as { msg: string; workerRole?: string; pid?: number })
    .filter(({ msg, workerRole }) => msg === 'role started' && workerRole === 'control');
  const pid = started.at(-1)?.pid ?? NaN;
  const port = system.ports.metrics + METRICS_OFFSETS.worker + 1 + WORKER_ROLES.indexOf('control');
  const where = { 'HOST:PORT': `127.0.0.1:${String(port)}`, PID: String(pid) };
  const probe = said('curl', '/live');
  expect(await type(probe, NORTH, where)).toMatchObject({ code: 0 });

  process.kill(pid, 'SIGSTOP');
  try {
    expect(await type(probe, NORTH, where)).toMatchObject({ code: 28 }); // curl: nothing came in time
    const queue = { queue: 'control', kind: 'workflow' };
    const ofQueue = (name: string) => metric(`${system.apiUrl}/metrics`, `derms_task_queue_${name}`, queue);
    // Both halves of DermsTaskQueueNoPollers.
    await eventually(async () => expect(await ofQueue('pollers')).toBe(0), WITHIN_MS, 500);
    await eventually(async () => expect(await ofQueue('backlog')).toBeGreaterThan(0), WITHIN_MS, 500);
    expect(await health(NORTH)).toBe(0);
  } finally {
    expect(await type(said('kill -9'), NORTH, where)).toMatchObject({ code: 0 });
  }
  await inTime(NORTH);
  await eventually(
    async () =>
      expect(
        await metric(`${system.apiUrl}/metrics`, 'derms_task_queue_pollers', { queue: 'control', kind: 'workflow' }),
      ).toBeGreaterThan(0),
    WITHIN_MS,
    500,
  );
}, 600_000);

it('a loop that is gone is started by the command of the page', async () => {
  const since = new Date();
  expect(await type(said('temporal workflow terminate'), SOUTH)).toMatchObject({ code: 0 });
  expect(await type(said('curl -s -X POST', '/control-loop/start'), SOUTH)).toMatchObject({ code: 0 });
  await eventually(async () => expect((await cyclesSince(SOUTH, since)).cycles).toBeGreaterThan(0), WITHIN_MS, 500);
}, 300_000);
