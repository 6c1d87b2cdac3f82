import { databaseStores, readFleetSample } from '../../../api/stores';
import { appendAudit } from '../../../db/audit';
import { startApp, type AppUnderTest } from '../../unit/api/app-under-test';
import { addEv, addFeeder } from '../../support/fleet-rows';
import { POLICY } from '../../support/policy';
import { createTestDatabase, type TestDatabase } from '../../support/servers';
import { ANNA } from '../db/people-writes';

// Every answer is held against the schema that the route declares: see `checkAnswers`.

const SILENCE = { staleSeconds: 30, offlineSeconds: 180 };
const PLAN = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff';
const NODE = {
  ...{ feederId: 'north', measuredKw: 42, plannedHighKw: 50, plannedLowKw: 40, uncontrolledHighKw: 5 },
  ...{ uncontrolledLowKw: 5, meteredUncontrolledKw: 5, meterStale: false, binding: 'import', missingKw: 0 },
  high: { kw: 100, source: { kind: 'static' } },
  low: { kw: -100, source: { kind: 'static' } },
};

let database: TestDatabase;
let app: AppUnderTest;
beforeAll(async () => {
  database = await createTestDatabase();
  const { db } = database;
  await addFeeder(db, 'north');
  await addFeeder(db, 'a', { parentId: 'north', rootId: 'north' });
  await addEv(db, 'ev-1', 'a', { powerKw: 7 });
  await db.query(`
    insert into meter_state (feeder_id, sampled_at, received_at, message_id, flow_kw, clock_half_hour, clock_least_ms)
      values ('north', now(), now(), gen_random_uuid(), 42, 0, 3);
    insert into meter_readings (feeder_id, sampled_at, received_at, message_id, flow_kw)
      values ('north', now() - interval '1 s', now(), gen_random_uuid(), 42);
    insert into telemetry (device_key, sampled_at, received_at, message_id, power_kw, online)
      select device_key, now() - interval '1 s', now(), gen_random_uuid(), 7, true from devices;
    insert into device_control (device_key, acknowledged_kw, acknowledged_valid_until, acknowledged_at)
      select device_key, 7, now(), now() from devices;
    insert into setpoints (device_key, planned_at, plan_id, root_feeder_id, target_kw, valid_until, level, tier, note)
      select device_key, now(), gen_random_uuid(), 'north', 7, now(), 0, 0, 'free' from devices;
    insert into refused_telemetry (reason, detail, topic, payload) values ('too-old', 'd', 't', 'p');
    insert into refused_senders (hour, sender, reason, messages, peak_per_second)
    values (date_trunc('hour', now()), 'telemetry/ev/ev-1', 'too-many', 5000, 120),
           (date_trunc('hour', now()) - interval '2 days', 'telemetry/ev/ev-1', 'too-many', 7, 1)`);
  await db.query(
    `insert into control_loops (root_feeder_id, chain_id, chain_started_at, cycle, plan_id, tick_at, planned_at, finished_at, finished_cycle, nodes)
     values ('north', $1, now(), 812, $1, now(), now(), now(), 812, $2)`,
    [PLAN, JSON.stringify([NODE])],
  );
  await db.query(
    `insert into control_cycles (root_feeder_id, chain_id, cycle, planned_at, plan_id, tick_at, missed_ticks, mode,
                                 interval_seconds, changes, renewals, infeasible, summary, nodes)
     values ('north', $1, 812, now(), $1, now(), 0, 'automatic', 10, 1, 0, false, 'cycle 812', '[]')`,
    [PLAN],
  );
  await db.query(
    `insert into proposals (root_feeder_id, plan_id, proposed_at, targets) values ('north', $1, now(), '{"ev-1": 6}')`,
    [PLAN],
  );
  await appendAudit(db, ANNA, { action: 'x', subject: 'y', outcome: 'done', detail: { a: 1 } });
  const quiet = () => Promise.resolve();
  app = await startApp({
    ...databaseStores(db, { silence: SILENCE, defaultIntervalSeconds: 10, policy: POLICY }),
    workflows: {
      loopStatus: () => Promise.reject(new Error('unexpected')),
      ...{
        startDispatch: quiet,
        wakeControlLoop: quiet,
        tellDispatch: quiet,
        startControlLoop: quiet,
        stopControlLoop: quiet,
      },
    },
  });
});
afterAll(async () => {
  await app.close();
  await database.drop();
});

it.each([
  ['/api/feeders', 2],
  ['/api/feeders?rootFeederId=nowhere', 0],
  ['/api/feeders/north/history', 1],
  ['/api/feeders/north/history?resolution=quarter-hour&from=2026-01-01T00:00:00Z', 1],
  ['/api/feeders/a/cycles', 1],
  ['/api/devices', 1],
  ['/api/devices?feederId=north&type=ev&state=online', 1],
  ['/api/devices?state=not-following', 0],
  ['/api/devices/ev-1/telemetry', 1],
  ['/api/devices/ev-1/telemetry?resolution=quarter-hour&from=2026-01-01T00:00:00Z', 1],
  ['/api/devices/ev-1/setpoints', 1],
  ['/api/telemetry/rejected?reason=too-old', 1],
  ['/api/telemetry/rejected/senders', 1],
  ['/api/telemetry/rejected/senders?reason=too-old', 0],
  ['/api/telemetry/rejected/senders?hours=72&limit=1', 1],
  ['/api/dispatches', 0],
  ['/api/audit?actor=anna', 1],
])('GET %s answers what it declares, with %i entries', async (path, entries) => {
  const { status, body } = await app.call('GET', path, { as: 'admin' });
  expect([status, body.code, body.items.length]).toEqual([200, undefined, entries]);
});

it('one feeder and one device are answered as they declare, with their revisions', async () => {
  const feeder = await app.call('GET', '/api/feeders/north', { as: 'viewer' });
  expect([feeder.status, feeder.headers.get('etag'), feeder.body]).toEqual([
    200,
    expect.stringMatching(/^"1-/),
    expect.objectContaining({ headroom: { importKw: 58, exportKw: 142 }, binding: 'import' }),
  ]);
  const device = await app.call('GET', '/api/devices/ev-1', { as: 'viewer' });
  expect([device.status, device.body.state, device.body['setpoint']]).toEqual([
    200,
    'online',
    expect.objectContaining({ targetKw: 7 }),
  ]);
});

it('a dispatch is asked for, found, shown, and cancelled', async () => {
  const asked = await app.call('POST', '/api/dispatches', {
    as: 'operator',
    body: {
      feederId: 'a',
      endsAt: new Date(Date.now() + 600_000).toISOString(),
      importLimitKw: 60,
      reason: 'heat wave',
    },
    headers: { 'idempotency-key': 'k' },
  });
  expect([asked.status, asked.body.state]).toEqual([202, 'scheduled']);
  const path = asked.headers.get('location') ?? '';
  expect((await app.call('GET', '/api/dispatches?open=true', { as: 'viewer' })).body.items).toHaveLength(1);
  expect((await app.call('GET', path, { as: 'viewer' })).body).toMatchObject({
    state: 'scheduled',
    history: [{ revision: 1, state: 'scheduled', actor: 'operator', reason: 'heat wave' }],
    measurements: { cycles: 0 },
    report: null,
  });
  const feeder = await app.call('GET', '/api/feeders/a', { as: 'viewer' });
  expect(feeder.body['activeDispatches']).toEqual([expect.objectContaining({ importLimitKw: 60 })]);
  // A loop that plans and publishes after the cancelling, as the worker would.
  const plan = setInterval(
    () => void database.db.query(`update control_loops set planned_at = now(), finished_at = now()`),
    50,
  );
  const cancelled = await app.call('POST', `${path}/cancel`, { as: 'operator', body: { reason: 'rain' } });
  clearInterval(plan);
  expect([cancelled.status, cancelled.body.state, cancelled.body.unconfirmed]).toEqual([200, 'cancelled', null]);
  expect((await app.call('GET', path, { as: 'viewer' })).body).toMatchObject({ state: 'cancelled' });
});

it('a feeder is made, changed and hung elsewhere against its revision', async () => {
  const fields = { importLimitKw: 10, exportLimitKw: 10 };
  expect((await app.call('PUT', '/api/feeders/b', { as: 'admin', body: fields })).status).toBe(201);
  const patch = (etag: string, body: object) =>
    app.call('PATCH', '/api/feeders/b', { as: 'admin', body, headers: { 'if-match': etag } });
  const hung = await patch('"1"', { parentId: 'a' });
  expect([hung.status, hung.body['rootFeederId'], hung.headers.get('etag')]).toEqual([200, 'north', '"2"']);
  expect((await patch('"1"', { name: 'B' })).status).toBe(412);
});

it('a change may ask that something is there, whatever it says, or that nothing is', async () => {
  const put = async (headers: Record<string, string>): Promise<number> =>
    (
      await app.call('PUT', '/api/feeders/c', {
        as: 'admin',
        body: { importLimitKw: 10, exportLimitKw: 10 },
        headers,
      })
    ).status;
  const patch = async (path: string, body: object, headers: Record<string, string>): Promise<number> =>
    (await app.call('PATCH', path, { as: 'admin', body, headers })).status;
  const any = { 'if-match': '*' };
  const none = { 'if-none-match': '*' };

  expect([await put(any), await patch('/api/feeders/c', { name: 'C' }, any)]).toEqual([412, 404]);
  expect([await put(none), await put(none)]).toEqual([201, 412]);
  expect([await put({}), await put(any), await put({ 'if-match': 'W/"2"' })]).toEqual([428, 200, 412]);
  expect(await patch('/api/feeders/c', { name: 'C' }, any)).toBe(200);
  expect(await patch('/api/devices/ev-1', { weight: 3 }, any)).toBe(200);
  expect(await patch('/api/devices/ev-1', { weight: 4 }, none)).toBe(412);
});

it('orders to the loop are written at its root', async () => {
  const order = (verb: string, body?: object) =>
    app.call('POST', `/api/feeders/a/control-loop/${verb}`, { as: 'admin', body });
  expect((await order('mode', { mode: 'manual' })).body).toMatchObject({ rootFeederId: 'north', mode: 'manual' });
  expect((await order('interval', { intervalSeconds: 5 })).body).toMatchObject({ intervalSeconds: 5, mode: 'manual' });
  expect((await order('approve', { planId: PLAN })).body).toMatchObject({ rootFeederId: 'north', planId: PLAN });
  expect((await order('stop')).body).toMatchObject({ enabled: false });
  expect((await order('start')).body).toMatchObject({ enabled: true });
});

it('a device and a registry file are taken', async () => {
  const patched = await app.call('PATCH', '/api/devices/ev-1', {
    as: 'admin',
    body: { weight: 2 },
    headers: { 'if-match': '"2"' },
  });
  expect([patched.status, patched.body['weight']]).toEqual([200, 2]);
  const file = { feeders: [{ feederId: 'south', importLimitKw: 5, exportLimitKw: 5 }] };
  const applied = await app.call('POST', '/api/registry?validateOnly=true', { as: 'admin', body: file });
  expect([applied.status, applied.body]).toEqual([
    200,
    expect.objectContaining({ applied: false, feeders: expect.objectContaining({ created: ['south'] }) }),
  ]);
  const refused = await app.call('POST', '/api/registry', { as: 'admin', body: { feeders: [{ feederId: 'x y' }] } });
  expect([refused.status, refused.body.code]).toEqual([422, 'REGISTRY_INVALID']);
});

it('the picture that health is made of is read at once', async () => {
  const { loops, counts } = await readFleetSample(database.db, SILENCE);
  expect(loops.map(({ rootFeederId }) => rootFeederId)).toEqual(['c', 'north']);
  expect(counts).toEqual([expect.objectContaining({ feederId: 'a', rootFeederId: 'north', online: 1 })]);
});
