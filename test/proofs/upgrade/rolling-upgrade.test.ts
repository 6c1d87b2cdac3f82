import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { controlGaps } from '../../../db/control-gaps';
import type { Database } from '../../../db/pool';
import { repositoryRoot } from '../../../local/toolchain';
import { startTestSystem, type TestSystem } from '../../../local/test-system';
import { generateRegistry } from '../../../simulator/generated-registry';
import { apiAs, databaseOf } from '../../e2e/support';
import { eventually } from '../../support/servers';
import { previousBuild } from './previous-build';
import { workflowTasksSince } from './workflow-tasks';

// The previous release at work, then this one beside it on the schema of this one, then this one alone, as a rollout does
// it: migrations first, then processes one after the other.

const INTERVAL_SECONDS = 10;
/** A timer of Temporal's fires a little late, and a plan takes its time; a loaded machine adds to both, s. */
const LATENESS_SECONDS = 4;
const FEEDERS = 8;
const FEEDER = 'sim-feeder-00001';
const DISPATCH_KW = 5;
const NEW_WORKER = 'new';

let system: TestSystem;
let db: Database;
let begunAt: number;
let dispatchId: string;
/** On a machine that is not overloaded the old workers have left by then. */
const DISPATCH_MS = 180_000;
let endsAtMs: number;

const nowMs = async (): Promise<number> =>
  (await db.query<{ ms: number }>('select (extract(epoch from now()) * 1000)::float8 as ms')).rows[0]!.ms;

async function everyLoopHasPlanned(times: number, sinceMs: number): Promise<void> {
  const { rows } = await db.query(
    `select from control_cycles where planned_at > to_timestamp($1 / 1000.0) group by root_feeder_id having count(*) >= $2`,
    [sinceMs, times],
  );
  expect(rows).toHaveLength(FEEDERS);
}
const planned = async (times: number): Promise<void> => {
  const since = await nowMs();
  await eventually(() => everyLoopHasPlanned(times, since), (times + 3) * INTERVAL_SECONDS * 1_000, 250);
};
const tasks = (sinceMs: number) => workflowTasksSince(system.stack.temporal.address, sinceMs);

beforeAll(async () => {
  const { dist } = await previousBuild();
  system = await startTestSystem({
    dist,
    env: { CONTROL_INTERVAL_SECONDS: String(INTERVAL_SECONDS) },
    // Runs of a loop are short, so that they pass from one release's workers to the other's and back.
    dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': 24 },
  });
  db = databaseOf(system);
  await Promise.all([system.start('api'), system.start('worker')]);
  const registry = join(system.stack.folder, 'registry.json');
  writeFileSync(registry, JSON.stringify(generateRegistry({ feeders: FEEDERS, devices: 4 * FEEDERS })));
  await system.derms('registry', 'apply', registry);
  await system.start('simulator', ['--registry', registry, '--seed', '1']);
}, 600_000);
afterAll(async () => {
  await db.close();
  await system.stop();
}, 60_000);

it('the previous release runs loops and a dispatch', async () => {
  await planned(2);
  begunAt = await nowMs();
  endsAtMs = Date.now() + DISPATCH_MS;
  const operator = await apiAs(system, 'operator');
  const order = { feederId: FEEDER, importLimitKw: DISPATCH_KW, reason: 'an upgrade' };
  const endsAt = new Date(endsAtMs).toISOString();
  const key = { 'idempotency-key': crypto.randomUUID() };
  const { status, body } = await operator('POST', '/api/dispatches', { ...order, endsAt }, key);
  expect([status, body]).toEqual([202, expect.anything()]);
  dispatchId = String(body['dispatchId']);
  await eventually(async () =>
    expect((await operator('GET', `/api/dispatches/${dispatchId}`)).body['state']).toBe('active'),
  );
}, 120_000);

it('its programs work on the schema of this release', async () => {
  await system.upgradeTo(join(repositoryRoot(), 'dist'));
  const operator = await apiAs(system, 'operator');
  expect((await fetch(`${system.apiUrl}/api/ready`)).status).toBe(200);
  expect((await operator('GET', `/api/dispatches/${dispatchId}`)).body['state']).toBe('active');
  await planned(1);
}, 120_000);

it('workers of both carry the loops side by side', async () => {
  await system.startReplica(NEW_WORKER);
  await system.running('api').stop({ graceMs: 15_000 });
  await system.start('api');
  const since = await nowMs();
  await eventually(async () => expect(Object.keys((await tasks(since)).completedBy)).toHaveLength(2), 150_000, 2_000);
  await planned(2);
}, 240_000);

it('when the old ones have left, the dispatch ends as it was asked to, with a report', async () => {
  const { code } = await system.running('worker').stop({ graceMs: 15_000 });
  expect(code).toBe(0);
  const since = await nowMs();
  await planned(2);
  expect(Object.keys((await tasks(since + 1_000)).completedBy)).toHaveLength(1);
  const operator = await apiAs(system, 'operator');
  const path = `/api/dispatches/${dispatchId}`;
  await eventually(
    async () => expect((await operator('GET', path)).body['state']).toBe('completed'),
    DISPATCH_MS + 30_000,
    500,
  );
  const { body } = await operator('GET', path);
  const history = body['history'] as { state: string; at: string }[];
  expect(history.map(({ state }) => state)).toEqual(['scheduled', 'active', 'completed']);
  const lateMs = Date.parse(history.at(-1)!.at) - endsAtMs;
  expect(lateMs).toBeGreaterThanOrEqual(0);
  expect(lateMs).toBeLessThan(INTERVAL_SECONDS * 1_000);
  const found = await db.query<{ report: { measuredSeconds: number } }>(
    'select report from dispatches where dispatch_id = $1',
    [dispatchId],
  );
  // Measured from cycle to cycle, by both releases.
  expect(found.rows[0]?.report.measuredSeconds).toBeGreaterThan(DISPATCH_MS / 1_000 - 3 * INTERVAL_SECONDS);
}, 300_000);

it('in all that time no workflow task has failed, no tick was missed, and no gap was longer than an interval', async () => {
  const { failed, completedBy } = await tasks(begunAt);
  expect(failed).toEqual([]);
  expect(Object.keys(completedBy)).toHaveLength(2);
  const gaps = await controlGaps(db, begunAt);
  process.stdout.write(
    `upgrade: ${JSON.stringify({ completedBy, longest: Math.max(...gaps.map(({ longestGapSeconds }) => longestGapSeconds)) })}\n`,
  );
  expect(gaps).toHaveLength(FEEDERS);
  expect(gaps.map(({ missedTicks, uncountedTicks }) => [missedTicks, uncountedTicks])).toEqual(gaps.map(() => [0, 0]));
  for (const { longestGapSeconds } of gaps)
    expect(longestGapSeconds).toBeLessThanOrEqual(INTERVAL_SECONDS + LATENESS_SECONDS);
}, 60_000);
