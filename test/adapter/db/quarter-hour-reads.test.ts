import { closePartition } from '../../../db/partition-removal';
import { ensurePartitions } from '../../../db/partitions';
import { listMeterQuarterHours, listTelemetryQuarterHours } from '../../../db/quarter-hour-reads';
import { withUpkeepConnection } from '../../../db/upkeep-connection';
import { addEv, addFeeder } from '../../support/fleet-rows';
import { createTestDatabase, type TestDatabase } from '../../support/servers';

const CLOSED_DAY = Date.parse('2020-03-10T00:00:00Z');
const PAGE = { from: '2020-03-10T23:30:00Z', to: '2020-03-11T00:30:00Z', after: null, limit: 10 };

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
  await addFeeder(database.db, 'north');
  await addEv(database.db, 'ev-1', 'north');
  await ensurePartitions(database.db, CLOSED_DAY, {
    daysBack: 0,
    daysAhead: 1,
    tables: ['telemetry', 'meter_readings'],
  });
});
afterEach(() => database.drop());

const close = (name: string) =>
  withUpkeepConnection(database.direct, new AbortController().signal, (connection) =>
    closePartition(connection, name, '00000000-0000-4000-8000-000000000000'),
  );

it('quarters of a closed day and of one whose samples are there follow each other, page by page', async () => {
  await database.db.query(
    `insert into telemetry (device_key, sampled_at, received_at, message_id, power_kw, online)
     select device_key, timestamptz '2020-03-10T23:25:00Z' + make_interval(mins => n), now(), gen_random_uuid(), n, true
       from devices, generate_series(0, 80) n`,
  );
  await close('telemetry_p20200310');
  const quarters = await listTelemetryQuarterHours(database.db, 'ev-1', PAGE);
  expect(quarters.map(({ quarterAt, samples, minKw, maxKw }) => [quarterAt, samples, minKw, maxKw])).toEqual([
    ['2020-03-10T23:30:00.000000Z', 15, 5, 19],
    ['2020-03-10T23:45:00.000000Z', 15, 20, 34],
    ['2020-03-11T00:00:00.000000Z', 15, 35, 49],
    ['2020-03-11T00:15:00.000000Z', 15, 50, 64],
  ]);
  const rest = await listTelemetryQuarterHours(database.db, 'ev-1', { ...PAGE, after: quarters[1]!.quarterAt });
  expect(rest).toEqual(quarters.slice(2));
  expect(await listTelemetryQuarterHours(database.db, 'ev-1', { ...PAGE, limit: 1 })).toEqual(quarters.slice(0, 1));
  await expect(listTelemetryQuarterHours(database.db, 'ev-2', PAGE)).rejects.toMatchObject({
    code: 'DEVICE_NOT_FOUND',
  });
});

it('those of a meter are read in the same way', async () => {
  await database.db.query(
    `insert into meter_readings (feeder_id, sampled_at, received_at, message_id, flow_kw)
     select 'north', timestamptz '2020-03-10T23:45:00Z' + make_interval(mins => n), now(), gen_random_uuid(), n from generate_series(0, 29) n`,
  );
  await close('meter_readings_p20200310');
  expect(await listMeterQuarterHours(database.db, 'north', PAGE)).toEqual([
    { quarterAt: '2020-03-10T23:45:00.000000Z', samples: 15, meanKw: 7, minKw: 0, maxKw: 14 },
    { quarterAt: '2020-03-11T00:00:00.000000Z', samples: 15, meanKw: 22, minKw: 15, maxKw: 29 },
  ]);
  await expect(listMeterQuarterHours(database.db, 'nowhere', PAGE)).rejects.toMatchObject({ code: 'FEEDER_NOT_FOUND' });
});
