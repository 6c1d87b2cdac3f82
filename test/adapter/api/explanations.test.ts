import { randomUUID } from 'node:crypto';
import { planCycle } from '../../../activities/plan-cycle';
import { databaseStores } from '../../../api/stores';
import { createPlanStore } from '../../../db/plan-store';
import { planTree } from '../../../domain/plan-tree';
import { startApp, type AppUnderTest } from '../../unit/api/app-under-test';
import { addEv, addFeeder } from '../../support/fleet-rows';
import { POLICY } from '../../support/policy';
import { createTestDatabase, type TestDatabase } from '../../support/servers';

// Every answer is held against the schema that the route declares: see `checkAnswers`.

const SILENCE = { staleSeconds: 30, offlineSeconds: 180 };
const CHAIN = '11111111-1111-4111-8111-111111111111';
let database: TestDatabase;
let app: AppUnderTest;

beforeAll(async () => {
  database = await createTestDatabase();
  const { db } = database;
  await addFeeder(db, 'north');
  await addFeeder(db, 'elm', { parentId: 'north', rootId: 'north', importLimitKw: 30 });
  for (const device of ['ev-1', 'ev-2', 'ev-3']) await addEv(db, device, 'elm', { powerKw: 22 });
  await addEv(db, 'ev-silent', 'elm', { powerKw: 4, ageSeconds: 60 });
  await cycle(1);
  await db.query(`update feeders set import_limit_kw = 12 where feeder_id = 'elm'`);
  await cycle(2);
  app = await startApp(databaseStores(db, { silence: SILENCE, defaultIntervalSeconds: 10, policy: POLICY }));
});
afterAll(async () => {
  await app.close();
  await database.drop();
});

/** As the loop does it. */
const cycle = (number: number) =>
  planCycle(
    { plans: createPlanStore(database.db, POLICY), planTree, newPlanId: randomUUID },
    {
      ...{ rootFeederId: 'north', chainId: CHAIN, chainStartedAtMs: Date.parse('2026-07-01T16:00:00Z'), cycle: number },
      ...{ tickMs: Date.now(), final: false, timeoutMs: 5_000 },
    },
    AbortSignal.timeout(5_000),
  );
const get = async (path: string) => (await app.call('GET', path, { as: 'viewer' })).body;
const whatIf = async (body: unknown) =>
  (await app.call('POST', '/api/feeders/north/plan', { as: 'viewer', body })).body as unknown as {
    readonly devices: { readonly deviceId: string; readonly targetKw: number; readonly differenceKw: number }[];
  };

it('says why a device is asked what it is asked: the limit, whose it is, what flows, from its feeder to the root', async () => {
  const why = await get('/api/devices/ev-1/why');
  expect(why).toMatchObject({
    basis: { kind: 'cycle', cycle: 2, chainId: CHAIN, solverVersion: 'level-curves-4' },
    explanation: { boundBy: 'elm', note: 'bound-by-node', tier: 2 },
    path: [{ feederId: 'elm', high: { kw: 12, source: { kind: 'static' } } }, { feederId: 'north' }],
  });
  expect(why['targetKw']).toBeCloseTo(4, 9);
  expect((why['words'] as string[]).slice(0, 3)).toEqual([
    'ev-1 may draw 4 kW.',
    'It is held by elm, which may import up to 12 kW (static limit); what it gets is its share by weight (1, times its urgency).',
    expect.stringMatching(/^It measured 22 kW \d s ago\.$/),
  ]);
});

it('says why it was asked that at an earlier moment', async () => {
  const { rows } = await database.db.query<{ at: Date }>('select planned_at as at from control_cycles where cycle = 1');
  const at = new Date(rows[0]!.at.getTime() + 1).toISOString();
  const why = await get(`/api/devices/ev-1/why?at=${at}`);
  expect(why).toMatchObject({ basis: { cycle: 1 } });
  expect(why['targetKw']).toBe(10);
});

it('shows a cycle by number and the latest, with its nodes, devices and who stands how', async () => {
  expect(await get('/api/feeders/elm/cycles/1')).toMatchObject({ cycle: 1, changes: 3, infeasible: false });
  expect(await get('/api/feeders/north/cycles/latest')).toMatchObject({
    cycle: 2,
    notes: { 'bound-by-node': 3, silent: 1 },
    nodes: [{ feederId: 'north' }, { feederId: 'elm', binding: 'import' }],
    words: expect.arrayContaining([
      'elm may import up to 12 kW (static limit) and export up to 100 kW (static limit).',
      '1 stale: ev-silent.',
    ]),
  });
  const missing = await app.call('GET', '/api/feeders/north/cycles/77', { as: 'viewer' });
  expect([missing.status, missing.body.code]).toEqual([404, 'CYCLE_NOT_FOUND']);
});

it('plans a stored cycle again to the bit from its recorded input, though the registry has changed since', async () => {
  expect(await whatIf({ cycle: 1 })).toMatchObject({
    basis: { kind: 'cycle', cycle: 1 },
    replay: { identical: true, compared: 'nodes-and-setpoints' },
    differing: 0,
  });
  expect(await whatIf({ cycle: 2, chainId: CHAIN })).toMatchObject({ replay: { identical: true } });
});

it('shows what a stored cycle would have been with other limits, against what it was', async () => {
  const plan = await whatIf({ cycle: 1, feeders: [{ feederId: 'elm', importLimitKw: 15 }] });
  const changed = plan.devices.filter(({ differenceKw }) => Math.abs(differenceKw) > 0.001);
  expect(changed.map(({ deviceId, targetKw }) => [deviceId, Math.round(targetKw * 1e6) / 1e6])).toEqual([
    ['ev-1', 5],
    ['ev-2', 5],
    ['ev-3', 5],
  ]);
  expect(changed[0]?.differenceKw).toBeCloseTo(-5, 9);
});

it('plans the present with a dispatch that does not exist and another state of devices, and stores nothing', async () => {
  const count = async () =>
    (
      await database.db.query(
        'select (select count(*) from control_cycles) c, (select count(*) from setpoints) s, (select count(*) from dispatches) d',
      )
    ).rows;
  const before = await count();
  const plan = await whatIf({
    dispatches: [{ feederId: 'elm', importLimitKw: 10 }],
    devices: [
      { deviceId: 'ev-silent', powerKw: 4 },
      { deviceId: 'ev-3', soc: 1 },
    ],
  });
  expect(plan).toMatchObject({
    basis: { kind: 'now', cycle: null },
    replay: null,
    nodes: [{ feederId: 'north' }, { feederId: 'elm', high: { kw: 10, source: { kind: 'dispatch' } } }],
    shortfalls: [{ feederId: 'elm', shortfallKw: 0 }],
  });
  const targets = Object.fromEntries(
    plan.devices.map(({ deviceId, targetKw }) => [deviceId, Math.round(targetKw * 100) / 100]),
  );
  expect(targets).toEqual({ 'ev-1': 3.33, 'ev-2': 3.33, 'ev-3': 0, 'ev-silent': 3.33 });
  expect(await count()).toEqual(before);
});

it('refuses what is not in the tree, and a cycle of other rules', async () => {
  const unknown = await app.call('POST', '/api/feeders/north/plan', {
    as: 'viewer',
    body: { devices: [{ deviceId: 'x' }] },
  });
  expect([unknown.status, unknown.body.code]).toEqual([404, 'DEVICE_NOT_FOUND']);
  await database.db.query(`update control_cycle_inputs set solver_version = 'level-curves-1' where cycle = 1`);
  const older = await app.call('POST', '/api/feeders/north/plan', { as: 'viewer', body: { cycle: 1 } });
  expect([older.status, older.body.code]).toEqual([409, 'CYCLE_NOT_REPLAYABLE']);
});
