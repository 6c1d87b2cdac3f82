import { appendAudit, listAudit } from '../../../db/audit';
import { listMeterReadings, listRefused, listSetpoints, listTelemetry } from '../../../db/telemetry-reads';
import { addEv, addFeeder } from '../../support/fleet-rows';
import { createTestDatabase, type TestDatabase } from '../../support/servers';
import { ANNA } from './people-writes';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
  await addFeeder(database.db, 'north');
  await addEv(database.db, 'ev-1', 'north');
});
afterEach(() => database.drop());

const midnight = new Date(new Date().setUTCHours(0, 0, 0, 0)).toISOString();
const window = { from: midnight, to: new Date(Date.parse(midnight) + 3_600_000).toISOString(), after: null, limit: 10 };

it('telemetry is read oldest first, page by page, to the microsecond', async () => {
  await database.db.query(
    `insert into telemetry (device_key, sampled_at, received_at, message_id, power_kw, soc, online)
     select device_key, $1::timestamptz + make_interval(secs => n * 0.0000015), now(), gen_random_uuid(), n, 0.5, true
       from devices, generate_series(0, 4) n`,
    [midnight],
  );
  const first = await listTelemetry(database.db, 'ev-1', { ...window, limit: 3 });
  expect(first.map(({ powerKw }) => powerKw)).toEqual([0, 1, 2]);
  expect(first[2]?.sampledAt).toMatch(/T00:00:00\.000003Z$/);
  const rest = await listTelemetry(database.db, 'ev-1', { ...window, after: first[2]?.sampledAt ?? '' });
  expect(rest.map(({ powerKw }) => powerKw)).toEqual([3, 4]);
  expect(
    await listTelemetry(database.db, 'ev-1', { ...window, from: window.to, to: new Date().toISOString() }),
  ).toEqual([]);
  await expect(listTelemetry(database.db, 'ev-2', window)).rejects.toMatchObject({ code: 'DEVICE_NOT_FOUND' });
});

it('the meter of a feeder is read in the same way', async () => {
  await database.db.query(
    `insert into meter_readings (feeder_id, sampled_at, received_at, message_id, flow_kw)
     select 'north', $1::timestamptz + make_interval(secs => n), now(), gen_random_uuid(), 10 * n from generate_series(0, 2) n`,
    [midnight],
  );
  expect((await listMeterReadings(database.db, 'north', window)).map(({ flowKw }) => flowKw)).toEqual([0, 10, 20]);
  await expect(listMeterReadings(database.db, 'nowhere', window)).rejects.toMatchObject({ code: 'FEEDER_NOT_FOUND' });
});

it('setpoints of a device are read newest first', async () => {
  await database.db.query(
    `insert into setpoints (device_key, planned_at, plan_id, root_feeder_id, target_kw, valid_until, level, tier, bound_by, note)
     select device_key, now() - make_interval(secs => n), gen_random_uuid(), 'north', n, now(), 0.5, 1, 'north', 'bound-by-node'
       from devices, generate_series(0, 3) n`,
  );
  const [newest, next] = await listSetpoints(database.db, 'ev-1', { before: null, limit: 2 });
  expect([newest?.targetKw, next?.targetKw, next?.boundBy, next?.acknowledgedAt]).toEqual([0, 1, 'north', null]);
  const older = await listSetpoints(database.db, 'ev-1', { before: next?.plannedAt ?? '', limit: 5 });
  expect(older.map(({ targetKw }) => targetKw)).toEqual([2, 3]);
});

it('refused messages are read newest first, by reason', async () => {
  await database.db.query(
    `insert into refused_telemetry (reason, detail, topic, payload)
     values ('too-old', 'd', 't', 'one'), ('malformed-json', 'd', 't', 'two'), ('too-old', 'd', 't', 'three')`,
  );
  const old = await listRefused(database.db, { reason: 'too-old', beforeId: null, limit: 5 });
  expect(old.map(({ payload }) => payload)).toEqual(['three', 'one']);
  const page = await listRefused(database.db, { reason: null, beforeId: old[0]?.id ?? 0, limit: 5 });
  expect(page.map(({ payload }) => payload)).toEqual(['two', 'one']);
});

it('the audit takes whatever a refused request said, and is filtered by who, what and whom', async () => {
  const entry = { action: 'feeder.put', subject: 'a\u0000b', outcome: 'refused' as const };
  await appendAudit(database.db, ANNA, {
    ...entry,
    detail: { 'k\u0000': 'half \ud83d, whole \u{1f600}', back: '\\u0000' },
  });
  await appendAudit(database.db, { ...ANNA, user: 'otto' }, { ...entry, subject: 'b', detail: {} });
  const all = { actor: null, action: null, subject: null, beforeId: null, limit: 5 };
  const [row] = await listAudit(database.db, { ...all, actor: 'anna' });
  expect(row).toMatchObject({ subject: 'a\ufffdb', detail: { 'k\ufffd': 'half \ufffd, whole \u{1f600}' } });
  expect(await listAudit(database.db, { ...all, subject: 'b' })).toHaveLength(1);
  expect(await listAudit(database.db, { ...all, action: 'feeder.put', beforeId: row?.id ?? 0 })).toHaveLength(0);
});
