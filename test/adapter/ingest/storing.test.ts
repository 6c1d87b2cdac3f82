import { randomUUID } from 'node:crypto';
import { createTestDatabase, testServers, type TestDatabase } from '../../support/servers';
import { IngestWorld, measurement, telemetry, type RunningIngest } from './ingest-world';

let database: TestDatabase;
let world: IngestWorld;
let ingest: RunningIngest;

beforeEach(async () => {
  database = await createTestDatabase();
  world = await IngestWorld.create(database.db, testServers().mqtt);
  ingest = await world.start();
});
afterEach(async () => {
  await world.close();
  await database.drop();
});

const stateOf = async (deviceId: string) =>
  (
    await world.rows(
      `select s.*, (extract(epoch from s.sampled_at) * 1000)::float8 as sampled_ms
         from device_state s join devices using (device_key) where device_id = $1`,
      [deviceId],
    )
  )[0];

describe('a sample', () => {
  it('is stored with its arrival, and becomes the state of its device', async () => {
    const sentAt = Date.now();
    const message = telemetry({
      deviceId: 'battery-1',
      deviceType: 'battery',
      timestampMs: sentAt - 1_500,
      readings: { powerKw: -3.25, energyKwh: 812.5, soc: 0.62, voltageV: 229.8, currentA: -14.1 },
      status: { online: false, faultCode: 'E-17' },
    });
    await world.send(message);
    await ingest.untilTaken(1);

    const stored = {
      sampled_at: new Date(sentAt - 1_500),
      message_id: message['messageId'],
      power_kw: -3.25,
      energy_kwh: 812.5,
      soc: 0.62,
      voltage_v: 229.8,
      current_a: -14.1,
      online: false,
      fault_code: 'E-17',
    };
    const [row] = await world.rows('select * from telemetry');
    expect(row).toMatchObject(stored);
    expect(await stateOf('battery-1')).toMatchObject({ ...stored, received_at: row?.['received_at'] });
    expect((row?.['received_at'] as Date).getTime()).toBeGreaterThanOrEqual(sentAt - 50);
    expect(await ingest.metric('derms_ingest_stored_total')).toBe(1);
  });

  it('is counted by the feeder that it belongs to', async () => {
    await world.send(telemetry({ deviceId: 'ev-1', payload: { feederId: 'elm-street' } }));
    await world.send(telemetry({ deviceId: 'ev-2', payload: { feederId: 'mill-road' } }));
    await ingest.untilTaken(2);
    await world.measure(measurement('elm-street', 12));
    await world.measure(measurement('nowhere', 12));
    await ingest.untilTaken(4);
    const of = (feeder: string) => ingest.metric('derms_ingest_feeder_messages_total', { feeder });
    expect([await of('elm-street'), await of('mill-road'), await of('nowhere')]).toEqual([2, 1, 0]);
  });

  it('of a PV, or of a device that counts as a generator, is turned into our sign', async () => {
    await world.send(
      telemetry({ deviceId: 'pv-1', deviceType: 'pv', readings: { powerKw: 40 } }),
      telemetry({ deviceId: 'battery-1', deviceType: 'battery', readings: { powerKw: 5 } }),
    );
    await ingest.untilTaken(2);
    await ingest.stop();
    await database.db.query(`update devices set sign = 'generator' where device_id = 'battery-1'`);
    ingest = await world.start();
    await world.send(telemetry({ deviceId: 'battery-1', deviceType: 'battery', readings: { powerKw: 5 } }));
    await ingest.untilTaken(1);

    const rows = await world.rows(
      'select device_id, power_kw from telemetry join devices using (device_key) order by device_id, sampled_at',
    );
    expect(rows).toEqual([
      { device_id: 'battery-1', power_kw: 5 },
      { device_id: 'battery-1', power_kw: -5 },
      { device_id: 'pv-1', power_kw: -40 },
    ]);
  });

  it('that comes late is stored and does not replace a newer state', async () => {
    const now = Date.now();
    await world.send(telemetry({ timestampMs: now, readings: { powerKw: 7 } }));
    await ingest.untilTaken(1);
    await world.send(telemetry({ timestampMs: now - 3_600_000, readings: { powerKw: 1 } }));
    await ingest.untilTaken(2);

    expect(await world.rows('select power_kw from telemetry order by sampled_at')).toEqual([
      { power_kw: 1 },
      { power_kw: 7 },
    ]);
    expect(await stateOf('ev-1')).toMatchObject({ power_kw: 7, sampled_ms: now });
  });

  it('may be as old as telemetry is kept', async () => {
    await world.send(telemetry({ timestampMs: Date.now() - 29.9 * 86_400_000 }));
    await ingest.untilTaken(1);

    expect(await world.rows('select power_kw from telemetry')).toEqual([{ power_kw: 1 }]);
  });

  it('of many of one device in one batch leaves the newest as its state', async () => {
    const now = Date.now();
    const order = [3, 1, 5, 2, 4];
    await world.send(...order.map((n) => telemetry({ timestampMs: now - 5_000 + n, readings: { powerKw: n } })));
    await ingest.untilTaken(5);

    expect(await world.rows('select count(*)::int as count from telemetry')).toEqual([{ count: 5 }]);
    expect(await stateOf('ev-1')).toMatchObject({ power_kw: 5 });
  });

  it('whose soc is a percentage is scaled and counted', async () => {
    await world.send(telemetry({ readings: { powerKw: 1, soc: 62 } }));
    await ingest.untilTaken(1);

    expect(await stateOf('ev-1')).toMatchObject({ soc: 0.62 });
    expect(await ingest.metric('derms_ingest_soc_scaled_total')).toBe(1);
  });

  it('that was sent with QoS 0 is stored as well', async () => {
    await world.publish('telemetry/ev/ev-1', telemetry(), 0);
    await ingest.untilTaken(1);

    expect(await world.rows('select power_kw from telemetry')).toEqual([{ power_kw: 1 }]);
  });

  it('of a day without a partition has one made', async () => {
    const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10).replaceAll('-', '');
    await database.db.query(`drop table telemetry_p${yesterday}`);
    await world.send(telemetry({ timestampMs: Date.now() - 86_400_000 }), telemetry({ deviceId: 'ev-2' }));
    await ingest.untilTaken(2);

    expect(await world.rows('select count(*)::int as count from telemetry')).toEqual([{ count: 2 }]);
    expect(await ingest.metric('derms_ingest_refused_total')).toBe(0);
  });

  it('of a device that was removed meanwhile brings the device back', async () => {
    await world.send(telemetry());
    await ingest.untilTaken(1);
    await database.db.query('delete from devices');
    await world.send(
      telemetry({ readings: { powerKw: 2 } }),
      telemetry({ deviceId: 'ev-2', readings: { powerKw: 3 } }),
    );
    await ingest.untilTaken(3);

    expect(await stateOf('ev-1')).toMatchObject({ power_kw: 2 });
    expect(await stateOf('ev-2')).toMatchObject({ power_kw: 3 });
  });
});

describe('a sample that comes twice', () => {
  it('is stored once, in one batch or in two, and counted', async () => {
    const message = telemetry();
    await world.send(message, message);
    await ingest.untilTaken(2);
    await world.send(message);
    await ingest.untilTaken(3);

    expect(await world.rows('select count(*)::int as count from telemetry')).toEqual([{ count: 1 }]);
    expect(await ingest.metric('derms_ingest_stored_total')).toBe(1);
    expect(await ingest.metric('derms_ingest_duplicates_total')).toBe(2);
    expect(await ingest.metric('derms_ingest_reused_message_ids_total')).toBe(0);
  });

  it('is the same by device and time, whatever its message id and content', async () => {
    const timestampMs = Date.now();
    await world.send(telemetry({ timestampMs, readings: { powerKw: 1 } }));
    await ingest.untilTaken(1);
    await world.send(telemetry({ timestampMs, readings: { powerKw: 2 } }));
    await ingest.untilTaken(2);

    expect(await world.rows('select power_kw from telemetry')).toEqual([{ power_kw: 1 }]);
    expect(await stateOf('ev-1')).toMatchObject({ power_kw: 1 });
  });

  it('is the same by message id and time, whichever device it names', async () => {
    const message = telemetry();
    await world.send(message);
    await ingest.untilTaken(1);
    await world.send({ ...message, deviceId: 'ev-2' });
    await ingest.untilTaken(2);

    expect(await world.rows('select count(*)::int as count from telemetry')).toEqual([{ count: 1 }]);
    expect(await stateOf('ev-2')).toBeUndefined();
  });

  it('with its message id used for another time is another sample: stored, and counted as reuse', async () => {
    const messageId = randomUUID();
    const now = Date.now();
    await world.send(telemetry({ messageId, timestampMs: now - 1 }), telemetry({ messageId, timestampMs: now }));
    await ingest.untilTaken(2);

    expect(await world.rows('select count(*)::int as count from telemetry')).toEqual([{ count: 2 }]);
    expect(await ingest.metric('derms_ingest_reused_message_ids_total')).toBe(1);
  });

  it('does not cost the new samples beside it', async () => {
    const message = telemetry();
    await world.send(message);
    await ingest.untilTaken(1);
    const others = Array.from({ length: 50 }, (_, n) => telemetry({ timestampMs: Date.now() - 10_000 + n }));
    await world.send(...others.slice(0, 25), message, ...others.slice(25));
    await ingest.untilTaken(52);

    expect(await world.rows('select count(*)::int as count from telemetry')).toEqual([{ count: 51 }]);
    expect(await ingest.metric('derms_ingest_duplicates_total')).toBe(1);
  });
});

describe('the clock of a device', () => {
  const clockOf = async (deviceId: string) => {
    const state = await stateOf(deviceId);
    return { leastMs: Number(state?.['clock_least_ms']), previousMs: state?.['clock_previous_ms'] };
  };
  /** As if the state had been written so many half hours ago. */
  const halfHoursAgo = (count: number, leastMs: number): Promise<unknown> =>
    database.db.query(
      `update device_state set clock_half_hour = clock_half_hour - $1, clock_least_ms = $2, sampled_at = sampled_at - interval '1 s'`,
      [count, leastMs],
    );

  it('is known by the least delay with which its samples arrive', async () => {
    await world.send(telemetry({ timestampMs: Date.now() - 60_000 }));
    await ingest.untilTaken(1);
    expect((await clockOf('ev-1')).leastMs).toBeGreaterThanOrEqual(60_000);
    expect((await clockOf('ev-1')).leastMs).toBeLessThan(62_000);

    await world.send(telemetry({ timestampMs: Date.now() - 20_000 }));
    await ingest.untilTaken(2);
    const { leastMs } = await clockOf('ev-1');
    expect(leastMs).toBeLessThan(22_000);

    await world.send(telemetry({ timestampMs: Date.now() - 10_000 }), telemetry({ timestampMs: Date.now() - 40_000 }));
    await ingest.untilTaken(4);
    await world.send(telemetry({ timestampMs: Date.now() - 9_000 }));
    await ingest.untilTaken(5);
    expect((await clockOf('ev-1')).leastMs).toBeGreaterThanOrEqual(9_000);
    expect((await clockOf('ev-1')).leastMs).toBeLessThan(11_000);
  });

  it('may be ahead of ours', async () => {
    await world.send(telemetry({ timestampMs: Date.now() + 25_000 }));
    await ingest.untilTaken(1);

    const { leastMs } = await clockOf('ev-1');
    expect(leastMs).toBeGreaterThanOrEqual(-25_000);
    expect(leastMs).toBeLessThan(-23_000);
  });

  it('is remembered over one half hour and forgotten after the second', async () => {
    await world.send(telemetry());
    await ingest.untilTaken(1);
    await halfHoursAgo(1, 5);
    await world.send(telemetry({ timestampMs: Date.now() - 500 }));
    await ingest.untilTaken(2);
    expect(await clockOf('ev-1')).toMatchObject({ previousMs: '5' });
    expect((await clockOf('ev-1')).leastMs).toBeGreaterThanOrEqual(500);

    await halfHoursAgo(2, 7);
    await world.send(telemetry({ timestampMs: Date.now() }));
    await ingest.untilTaken(3);
    expect(await clockOf('ev-1')).toMatchObject({ previousMs: null });
  });
});

describe('a measurement at a feeder', () => {
  beforeEach(async () => {
    await database.db.query(
      `insert into feeders (feeder_id, root_id, import_limit_kw, export_limit_kw, origin)
       values ('oak-street', 'oak-street', 100, 100, 'registry')`,
    );
  });

  it('is stored, and the newest is the state of the meter', async () => {
    const now = Date.now();
    await world.measure(
      measurement('oak-street', 12.5, { timestampMs: now }),
      measurement('oak-street', -3, { timestampMs: now - 5_000 }),
    );
    await ingest.untilTaken(2);

    expect(await world.rows('select feeder_id, flow_kw from meter_readings order by sampled_at')).toEqual([
      { feeder_id: 'oak-street', flow_kw: -3 },
      { feeder_id: 'oak-street', flow_kw: 12.5 },
    ]);
    expect(await world.rows('select flow_kw, sampled_at from meter_state')).toEqual([
      { flow_kw: 12.5, sampled_at: new Date(now) },
    ]);
    expect(await ingest.metric('derms_ingest_messages_total', { kind: 'measurement' })).toBe(2);
  });

  it('that comes twice is stored once', async () => {
    const message = measurement('oak-street', 1);
    await world.measure(message, message);
    await ingest.untilTaken(2);

    expect(await world.rows('select count(*)::int as count from meter_readings')).toEqual([{ count: 1 }]);
    expect(await ingest.metric('derms_ingest_duplicates_total')).toBe(1);
  });

  it('at a feeder that was removed meanwhile is refused', async () => {
    await world.measure(measurement('oak-street', 1));
    await ingest.untilTaken(1);
    await database.db.query('delete from feeders');
    await world.measure(measurement('oak-street', 2));
    await ingest.untilTaken(2);

    expect(await ingest.metric('derms_ingest_refused_total', { reason: 'unknown-feeder' })).toBe(1);
  });
});
