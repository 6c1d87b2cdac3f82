import { Client } from 'pg';
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

const refusedFor = (reason: string): Promise<number> => ingest.metric('derms_ingest_refused_total', { reason });
const samples = () => world.rows('select reason, detail, topic, payload from refused_telemetry order by id');

/** The application may not change the registry's tables. */
async function asOwner(sql: string): Promise<void> {
  const { host, port, adminUser: user, adminPassword: password } = testServers().postgres;
  const client = new Client({ host, port, user, password, database: database.name });
  await client.connect();
  await client.query(sql);
  await client.end();
}

describe('a message that is refused', () => {
  it('is counted by reason, sampled for the operator, and acknowledged, for every reason that a message can give', async () => {
    await world.send(telemetry({ deviceId: 'ev-known' }));
    await world.publish('telemetry/ev/ev-1', '{"v":1,');
    await world.publish('telemetry/ev/ev-1', Buffer.from([0xff, 0xfe, 0x00, 0x01]));
    await world.publish('telemetry/ev/ev-1', 'x'.repeat(20_000));
    await world.publish('telemetry/ev/ev-1', telemetry({ v: 3 }));
    await world.publish('telemetry/ev/ev-1', telemetry({ messageType: 'ack' }));
    await world.publish('telemetry/heat-pump/h-1', telemetry({ deviceId: 'h-1', deviceType: 'heat-pump' }));
    await world.publish('telemetry/ev/a/b', telemetry({ deviceId: 'a/b' }));
    await world.publish(`telemetry/ev/it's "x"`, telemetry({ deviceId: `it's "x"` }));
    await world.publish('telemetry/ev/ev-1', telemetry({ deviceId: 'y'.repeat(10_000) }));
    await world.publish('telemetry/ev/ev-1', JSON.stringify(telemetry()).replace('"powerKw":1', '"powerKw":1e999'));
    await world.publish('telemetry/ev/ev-1', telemetry({ readings: { powerKw: undefined } }));
    await world.publish('telemetry/ev/somebody-else', telemetry());
    await world.publish('telemetry', telemetry());
    await world.publish('telemetry/ev/ev-1/more', telemetry());
    await world.publish('telemetry/ev/ev-1', telemetry({ timestampMs: Date.now() + 40_000 }));
    await world.publish('telemetry/ev/ev-1', telemetry({ timestampMs: Date.now() - 31 * 86_400_000 }));
    await world.publish('telemetry/battery/ev-known', telemetry({ deviceId: 'ev-known', deviceType: 'battery' }));
    await world.measure(measurement('nowhere', 3));
    await ingest.untilTaken(19);

    const expected = {
      'malformed-json': 2,
      'too-large': 1,
      'unknown-version': 1,
      'unknown-type': 2,
      'invalid-id': 3,
      'invalid-number': 1,
      'missing-field': 1,
      'topic-mismatch': 3,
      'in-the-future': 1,
      'too-old': 1,
      'wrong-device-type': 1,
      'unknown-feeder': 1,
    };
    for (const [reason, count] of Object.entries(expected)) {
      expect({ reason, count: await refusedFor(reason) }).toEqual({ reason, count });
      expect((await samples()).filter((sample) => sample['reason'] === reason)).toHaveLength(count);
    }
    expect(await world.rows('select device_id from devices')).toEqual([{ device_id: 'ev-known' }]);
    expect(await ingest.metric('derms_ingest_stored_total')).toBe(1);
  });

  it('is kept cut to a kilobyte, its topic to 256 characters, without the NUL that Postgres cannot keep', async () => {
    await world.publish(`telemetry/ev/${'t'.repeat(300)}`, `\u0000${'z'.repeat(2_000)}`);
    await ingest.untilTaken(1);

    const [sample] = await samples();
    expect(sample?.['payload']).toBe('z'.repeat(1_023));
    expect(String(sample?.['topic'])).toHaveLength(256);
    expect(sample?.['reason']).toBe('malformed-json');
  });

  it('is counted always and kept ten times a minute', async () => {
    for (let n = 0; n < 30; n += 1) await world.publish('telemetry/ev/ev-1', 'nonsense');
    await ingest.untilTaken(30);

    expect(await refusedFor('malformed-json')).toBe(30);
    const kept = (await samples()).length;
    expect(kept).toBeGreaterThanOrEqual(10);
    expect(kept).toBeLessThanOrEqual(20); // the minute may have changed meanwhile
  });

  it('does not push the table beyond its 10,000 newest', async () => {
    await database.db.query(
      `insert into refused_telemetry (reason, detail, topic, payload) select 'too-old', 'x', 't', '' from generate_series(1, 10500)`,
    );
    await world.publish('telemetry/ev/ev-1', 'nonsense');
    await ingest.untilTaken(1);

    expect(await world.rows('select count(*)::int as count from refused_telemetry')).toEqual([{ count: 10_000 }]);
    expect(await world.rows('select reason from refused_telemetry order by id desc limit 1')).toEqual([
      { reason: 'malformed-json' },
    ]);
  });

  it('costs the good ones in its batch nothing', async () => {
    const good = Array.from({ length: 20 }, (_, n) => telemetry({ deviceId: `ev-${String(n)}` }));
    await Promise.all(good.flatMap((message) => [world.send(message), world.publish('telemetry/ev/x', 'nonsense')]));
    await ingest.untilTaken(40);

    expect(await world.rows('select count(*)::int as count from telemetry')).toEqual([{ count: 20 }]);
  });
});

describe('a message that only Postgres refuses', () => {
  it('is refused alone: its batch is stored, and the ingest goes on', async () => {
    await database.db.query('alter table telemetry add constraint no_beast check (power_kw <> 666)');
    const messages = Array.from({ length: 60 }, (_, n) =>
      telemetry({
        deviceId: `ev-${String(n % 6)}`,
        timestampMs: Date.now() - n,
        readings: { powerKw: n === 41 ? 666 : n },
      }),
    );
    await world.send(...messages);
    await ingest.untilTaken(60);
    await world.send(telemetry({ deviceId: 'ev-3' }));
    await ingest.untilTaken(61);

    expect(await refusedFor('database-refused')).toBe(1);
    expect(await ingest.metric('derms_ingest_stored_total')).toBe(60);
    const [sample] = await samples();
    expect(sample).toMatchObject({ reason: 'database-refused', detail: expect.stringContaining('no_beast') });
    expect(sample?.['payload']).toContain('"powerKw":666');
  });

  it('is refused alone also when it is a device that the registry cannot hold', async () => {
    await asOwner(`alter table devices add constraint no_beast check (device_id <> 'ev-666')`);
    await world.send(...[1, 2, 666, 3].map((n) => telemetry({ deviceId: `ev-${String(n)}` })));
    await ingest.untilTaken(4);

    expect(await refusedFor('database-refused')).toBe(1);
    expect(await world.rows('select device_id from devices order by device_id')).toEqual([
      { device_id: 'ev-1' },
      { device_id: 'ev-2' },
      { device_id: 'ev-3' },
    ]);
  });

  it('is refused alone among measurements', async () => {
    await database.db.query(
      `insert into feeders (feeder_id, root_id, import_limit_kw, export_limit_kw, origin) values ('f', 'f', 1, 1, 'registry')`,
    );
    await database.db.query('alter table meter_readings add constraint no_beast check (flow_kw <> 666)');
    await world.measure(
      ...[5, 666, 6].map((flowKw) => measurement('f', flowKw, { timestampMs: Date.now() - 1_000 + flowKw })),
    );
    await ingest.untilTaken(3);

    expect(await refusedFor('database-refused')).toBe(1);
    expect(await world.rows('select flow_kw from meter_readings order by flow_kw')).toEqual([
      { flow_kw: 5 },
      { flow_kw: 6 },
    ]);
  });
});
