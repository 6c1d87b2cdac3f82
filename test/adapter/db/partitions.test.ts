import { ensurePartitions } from '../../../db/partitions';
import { createTestDatabase, type TestDatabase } from '../../support/servers';

const LONG_AGO = Date.parse('2020-03-10T12:00:00Z');
const device = (tag: number): string =>
  `insert into telemetry (device_key, sampled_at, received_at, message_id, power_kw, online)
   values (${String(tag)}, $1, now(), gen_random_uuid(), 1, true)`;

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

describe('partitions', () => {
  it('are made once per day, also by several processes at once', async () => {
    const make = (): Promise<string[]> =>
      ensurePartitions(database.db, LONG_AGO, { daysBack: 1, daysAhead: 1, tables: ['telemetry'] });
    const made = await Promise.all([make(), make(), make()]);
    expect(made.flat().sort()).toEqual(['telemetry_p20200309', 'telemetry_p20200310', 'telemetry_p20200311']);
    await database.db.query(device(1), ['2020-03-10T23:59:59.999Z']);
  });

  it('pitfall: refuse a row of a day that has none, rather than hide it in a default partition', async () => {
    await expect(database.db.query(device(1), ['2019-01-01T00:00:00Z'])).rejects.toThrow('no partition');
  });

  it('of sums are made by the month, with its first day in their name', async () => {
    const make = { daysBack: 10, daysAhead: 25, tables: ['telemetry_quarter_hours'] } as const;
    expect(await ensurePartitions(database.db, LONG_AGO, make)).toEqual([
      'telemetry_quarter_hours_p20200201',
      'telemetry_quarter_hours_p20200301',
      'telemetry_quarter_hours_p20200401',
    ]);
  });

  it('that were closed are never made again', async () => {
    await database.db.query(
      `insert into time_series_removals (partition_name, series, rows, carried_rows, run_id)
       values ('telemetry_p20200310', 'telemetry', 0, 0, gen_random_uuid())`,
    );
    const make = { daysBack: 0, daysAhead: 1, tables: ['telemetry'] } as const;
    expect(await ensurePartitions(database.db, LONG_AGO, make)).toEqual(['telemetry_p20200311']);
  });
});
