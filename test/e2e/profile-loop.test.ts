import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { Client } from 'pg';
import { controlGaps } from '../../db/control-gaps';
import type { Database } from '../../db/pool';
import { repositoryRoot } from '../../local/toolchain';
import type { TestSystem } from '../../local/test-system';
import { eventually } from '../support/servers';
import { databaseOf, startDemo } from './support';

const PROGRAM = join(repositoryRoot(), 'dist/worker/profile-loop-main.js');
const FEEDER = 'elm-street';

let system: TestSystem;
let db: Database;
let root: string;
let begunAt: number;

beforeAll(async () => {
  system = await startDemo();
  db = databaseOf(system);
  await eventually(
    async () => {
      const { rows } = await db.query<{ root: string; ms: number }>(
        `select l.root_feeder_id as root, (extract(epoch from now()) * 1000)::float8 as ms from control_loops l
          where l.root_feeder_id = (select root_id from feeders where feeder_id = $1) and cycle >= 3`,
        [FEEDER],
      );
      expect(rows).toHaveLength(1);
      ({ root, ms: begunAt } = rows[0]!);
    },
    90_000,
    250,
  );
}, 180_000);
afterAll(async () => {
  await db.close();
  await system.stop();
}, 30_000);

/** With what an SRE has: the settings of the database, and none else. */
function profile(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const env = Object.entries(system.environments.worker).filter(([name]) => name.startsWith('DB_'));
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [PROGRAM, ...args],
      { cwd: system.stack.folder, env: { PATH: process.env['PATH'], ...Object.fromEntries(env) } },
      (error, out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code), out, err });
      },
    );
  });
}

it('tells the steps of a cycle, its slowest statements with their plans, and who sends how much', async () => {
  const { code, out, err } = await profile('--feeder', FEEDER, '--seconds', '12', '--json');
  expect([code, err]).toEqual([0, '']);
  const told = JSON.parse(out) as {
    rootFeederId: string;
    live: { tickToPlan: { seen: number; median: number } };
    rehearsed: {
      steps: Record<string, number>;
      wholeMs: number;
      statements: { text: string; ms: number; plan: string | null }[];
      failures: string[];
    };
    feeders: { id: string; perSecond: number; burst: number }[];
    devices: { id: string; perSecond: number; burst: number }[];
  };
  expect(told.rootFeederId).toBe(root);
  expect(told.live.tickToPlan.seen).toBeGreaterThanOrEqual(2);
  const { steps, statements, wholeMs, failures } = told.rehearsed;
  expect(failures).toEqual([]);
  for (const step of ['claim', 'read', 'decide', 'store']) {
    expect(steps[step]).toBeGreaterThan(0);
    expect(steps[step]).toBeLessThan(wholeMs);
  }
  const written = statements.map(({ text }) => text).join('\n');
  expect(written).toContain('insert into control_cycles'); // what is written is measured too
  expect(statements.map(({ ms }) => ms)).toEqual(statements.map(({ ms }) => ms).sort((a, b) => b - a));
  // What one cycle in many asks may have none.
  const plans = statements.slice(0, 5).flatMap(({ plan }) => (plan === null ? [] : [plan]));
  expect(plans.length).toBeGreaterThan(2);
  for (const plan of plans) expect(plan).toMatch(/actual time=[^]*Execution Time/);
  // Each device of the demo reports every five seconds.
  expect(told.devices.length).toBeGreaterThan(0);
  for (const { perSecond } of told.devices) {
    expect(perSecond).toBeGreaterThan(0.05);
    expect(perSecond).toBeLessThan(0.6);
  }
  expect(told.feeders.find(({ id }) => id === FEEDER)!.burst).toBeGreaterThan(1);
}, 90_000);

it('leaves nothing behind, and costs the loop no tick', async () => {
  const { rows } = await db.query<{ doubled: string; unknown: string }>(
    `select count(*) - count(distinct (chain_id, cycle)) as doubled,
            count(*) filter (where i.cycle is null) as unknown
       from control_cycles c left join control_cycle_inputs i using (root_feeder_id, planned_at, chain_id, cycle)`,
  );
  expect(rows[0]).toEqual({ doubled: '0', unknown: '0' });
  const gaps = await controlGaps(db, begunAt);
  expect(gaps.find(({ rootFeederId }) => rootFeederId === root)).toMatchObject({ missedTicks: 0, uncountedTicks: 0 });
}, 30_000);

it('names who keeps a loop waiting', async () => {
  const { host, port, superuser, password } = system.stack.postgres;
  const holder = new Client({
    ...{ host, port, password, user: superuser },
    database: system.environments.worker['DB_NAME'],
  });
  await holder.connect();
  await holder.query('begin');
  await holder.query('select 1 from control_loops where root_feeder_id = $1 for update', [root]);
  try {
    const { code, out } = await profile('--feeder', FEEDER, '--seconds', '2');
    expect(code).toBe(0);
    expect(out).toContain('NOT TO AN END: canceling statement due to lock timeout');
    const { rows } = await holder.query<{ pid: number }>('select pg_backend_pid() as pid');
    expect(out).toContain(`pid ${rows[0]!.pid} ${superuser} keeps others waiting`); // a superuser's is not ours to read
  } finally {
    await holder.query('rollback');
    await holder.end();
  }
}, 60_000);

it('says what it does not know', async () => {
  expect(await profile('--feeder', 'nowhere')).toEqual({
    ...{ code: 1, out: '' },
    err: 'no loop has ever planned the tree of nowhere\n',
  });
  expect((await profile('--seconds', '0')).code).toBe(2);
}, 30_000);
