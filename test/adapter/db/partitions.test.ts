import { ensurePartitions, removePartitions } from '../../../db/partitions';
import { createTestDatabase, type TestDatabase } from '../../support/servers';

const DAY_MS = 86_400_000;
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

  it('refuse a row of a day that has none, rather than hide it in a default partition', async () => {
    await expect(database.db.query(device(1), ['2019-01-01T00:00:00Z'])).rejects.toThrow('no partition');
  });

  it('are removed when they end before the moment given, and not before', async () => {
    await ensurePartitions(database.db, LONG_AGO, { daysBack: 1, daysAhead: 0, tables: ['telemetry'] });
    const endOfTheNinth = Date.parse('2020-03-10T00:00:00Z');
    expect(await removePartitions(database.db, 'telemetry', endOfTheNinth - 1)).toEqual([]);
    expect(await removePartitions(database.db, 'telemetry', endOfTheNinth)).toEqual(['telemetry_p20200309']);
    await database.db.query(device(1), ['2020-03-10T00:00:00Z']);
  });

  it('that were detached by a run that died are dropped by the next one', async () => {
    await ensurePartitions(database.db, LONG_AGO, { daysBack: 0, daysAhead: 0, tables: ['telemetry'] });
    await database.db.query('alter table telemetry detach partition telemetry_p20200310');
    expect(await removePartitions(database.db, 'telemetry', LONG_AGO + DAY_MS)).toEqual(['telemetry_p20200310']);
    const { rows } = await database.db.query("select to_regclass('telemetry_p20200310') as found");
    expect(rows).toEqual([{ found: null }]);
  });

  it('come and go while a dump holds its locks, and inserts go on within half a second', async () => {
    const today = new Date().toISOString();
    await ensurePartitions(database.db, LONG_AGO, { daysBack: 0, daysAhead: 0, tables: ['telemetry'] });
    let endDump: () => void = () => undefined;
    const dumpMayEnd = new Promise<void>((resolve) => {
      endDump = resolve;
    });
    let begun: () => void = () => undefined;
    const dumpBegan = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const dump = database.db.transaction(
      async (tx) => {
        await tx.query('lock table telemetry in access share mode');
        begun();
        await dumpMayEnd;
      },
      { isolation: 'repeatable read', readOnly: true },
    );
    await dumpBegan;
    const removal = removePartitions(database.db, 'telemetry', LONG_AGO + DAY_MS);
    const made = await ensurePartitions(database.db, LONG_AGO, { daysBack: 3, daysAhead: -3, tables: ['telemetry'] });
    const insertMs: number[] = [];
    for (let tag = 1; tag <= 20; tag += 1) {
      const startedAt = performance.now();
      await database.db.query(device(tag), [today]);
      insertMs.push(performance.now() - startedAt);
    }
    endDump();
    await dump;
    expect(made).toEqual(['telemetry_p20200307']);
    expect(await removal).toEqual(['telemetry_p20200310']);
    expect(Math.max(...insertMs)).toBeLessThan(500);
  });
});
