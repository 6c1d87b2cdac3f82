import { randomUUID } from 'node:crypto';
import type { DeviceSamples } from '../../../domain/samples';
import {
  boolArray,
  float8Array,
  int4Array,
  textArray,
  timestamptzArray,
  uuidArray,
} from '../../../db/telemetry-arrays';
import { createTelemetryStore } from '../../../db/telemetry-store';
import { createTestDatabase, type TestDatabase } from '../../support/servers';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ poolSize: 8 });
  await database.db.query(
    `insert into feeders (feeder_id, root_id, import_limit_kw, export_limit_kw, origin) values ('f', 'f', 1, 1, 'registry')`,
  );
  await database.db.query(
    `insert into devices (device_id, device_type, feeder_id, feeder_origin, rating_origin)
     select 'ev-' || n, 'ev', 'f', 'registry', 'registry' from generate_series(1, 100) n`,
  );
});
beforeEach(() => database.db.query('truncate telemetry'));
afterEach(() => database.db.query('delete from device_state'));
afterAll(() => database.drop());

const store = () => createTelemetryStore(database.db);
const keysOfDevices = async (): Promise<number[]> =>
  (await database.db.query<{ device_key: number }>('select device_key from devices order by device_key')).rows.map(
    ({ device_key }) => device_key,
  );

/** One sample for each device key, all of one moment. */
const samplesOf = (deviceKeys: readonly number[], sampledAtMs = Date.now(), change: Partial<DeviceSamples> = {}) => ({
  deviceKey: deviceKeys,
  sampledAtMs: deviceKeys.map(() => sampledAtMs),
  messageId: deviceKeys.map(() => randomUUID()),
  powerKw: deviceKeys.map(() => 1),
  energyKwh: deviceKeys.map(() => null),
  soc: deviceKeys.map(() => null),
  voltageV: deviceKeys.map(() => null),
  currentA: deviceKeys.map(() => null),
  online: deviceKeys.map(() => true),
  faultCode: deviceKeys.map(() => null),
  ...change,
});

describe('columns as binary arrays', () => {
  const asPostgresReadsIt = async (array: Buffer, type: string): Promise<unknown> =>
    (await database.db.query<{ value: unknown }>(`select to_json($1::${type}[]) as value`, [array])).rows[0]?.value;

  it('reach Postgres as they are', async () => {
    expect(await asPostgresReadsIt(int4Array([0, 1, -1, 2_147_483_647, -2_147_483_648]), 'int4')).toEqual([
      0, 1, -1, 2_147_483_647, -2_147_483_648,
    ]);
    expect(await asPostgresReadsIt(float8Array([0, -1.5, null, 0.1, 1e300, 5e-324]), 'float8')).toEqual([
      0,
      -1.5,
      null,
      0.1,
      1e300,
      5e-324,
    ]);
    expect(await asPostgresReadsIt(boolArray([true, false]), 'bool')).toEqual([true, false]);
    const ids = ['8c9a4c52-6f0a-4d8e-9a52-3f1f2a3b4c5d', 'FFFFFFFF-ffff-FFFF-ffff-0123456789AB'];
    expect(await asPostgresReadsIt(uuidArray(ids), 'uuid')).toEqual(ids.map((id) => id.toLowerCase()));
    const texts = ['', null, `it's "quoted"`, '{a,b}', 'NULL', 'äöü 電力 🔌', '\\'];
    expect(await asPostgresReadsIt(textArray(texts), 'text')).toEqual(texts);
  });

  it('may be empty', async () => {
    expect(await asPostgresReadsIt(int4Array([]), 'int4')).toEqual([]);
    expect(await asPostgresReadsIt(textArray([]), 'text')).toEqual([]);
  });

  it('keep times to the millisecond, before and after the year 2000', async () => {
    const times = [0, 946_684_799_999, 946_684_800_000, 946_684_800_001, 1_760_000_000_123, 4_102_444_800_000];
    const { rows } = await database.db.query<{ at: Date }>('select unnest($1::timestamptz[]) as at', [
      timestamptzArray(times),
    ]);

    expect(rows.map(({ at }) => at.getTime())).toEqual(times);
  });
});

describe('storing a batch', () => {
  it('tells how many samples were new, whether it expects duplicates or not', async () => {
    const keys = await keysOfDevices();
    const telemetryStore = store();
    const now = Date.now();
    const first = samplesOf(keys.slice(0, 10), now);
    expect(await telemetryStore.storeDeviceSamples(first, 0)).toEqual({ stored: 10 });
    expect(await telemetryStore.storeDeviceSamples(first, 0)).toEqual({ stored: 0 });
    expect(await telemetryStore.storeDeviceSamples(samplesOf(keys.slice(5, 15), now), 0)).toEqual({ stored: 5 });
    for (let n = 1; n <= 60; n += 1) {
      expect(await telemetryStore.storeDeviceSamples(samplesOf(keys.slice(0, 2), now + n), 0)).toEqual({ stored: 2 });
    }
    expect(await telemetryStore.storeDeviceSamples(first, 0)).toEqual({ stored: 0 });
  });

  it('takes our waiting off the time of arrival', async () => {
    const [key = 0] = await keysOfDevices();
    await store().storeDeviceSamples(samplesOf([key]), 30_000);

    const { rows } = await database.db.query<{ age: number }>(
      'select extract(epoch from now() - received_at)::float8 as age from telemetry',
    );
    expect(rows[0]?.age).toBeGreaterThanOrEqual(30);
    expect(rows[0]?.age).toBeLessThan(32);
  });

  it('does not block or break batches of the same devices that others store at once', async () => {
    const keys = await keysOfDevices();
    const now = Date.now();
    const outcomes = await Promise.all(
      Array.from({ length: 24 }, (_, n) =>
        store().storeDeviceSamples(samplesOf(n % 2 === 0 ? keys : keys.toReversed(), now + n), 0),
      ),
    );

    expect(outcomes).toEqual(Array.from({ length: 24 }, () => ({ stored: 100 })));
    const { rows } = await database.db.query<{ newest: boolean }>(
      'select bool_and(sampled_at = to_timestamp($1::float8 / 1000)) as newest from device_state',
      [now + 23],
    );
    expect(rows).toEqual([{ newest: true }]);
  });

  it('stores nothing of a batch with a bad row, and says that a row is at fault', async () => {
    const keys = (await keysOfDevices()).slice(0, 3);
    const outcome = await store().storeDeviceSamples(samplesOf(keys, Date.now(), { powerKw: [1, Infinity, 3] }), 0);

    expect(outcome).toEqual({ refused: 'row', detail: expect.stringContaining('kw_check') });
    expect((await database.db.query('select 1 from telemetry')).rowCount).toBe(0);
  });

  it('says when it is the day that has no partition', async () => {
    const [key = 0] = await keysOfDevices();

    expect(await store().storeDeviceSamples(samplesOf([key], Date.UTC(2001, 0, 1)), 0)).toEqual({
      refused: 'no-partition',
      detail: expect.stringContaining('no partition'),
    });
  });

  it('says when a device has left the registry', async () => {
    expect(await store().storeDeviceSamples(samplesOf([999_999]), 0)).toMatchObject({ refused: 'registry-changed' });
  });

  it('rejects when Postgres did not look at it, for the caller to try again', async () => {
    const [key = 0] = await keysOfDevices();
    await database.db.transaction(async (tx) => {
      await tx.query('lock table telemetry in share row exclusive mode');
      await expect(
        database.db.transaction(async (other) => {
          await other.query(`set local lock_timeout = '50ms'`);
          return createTelemetryStore(other).storeDeviceSamples(samplesOf([key]), 0);
        }),
      ).rejects.toMatchObject({ code: '55P03' });
    });
  });
});
