import { randomUUID } from 'node:crypto';
import type { TimeSeries } from '../../../db/application-role';
import { closePartition, listClosed, listOutdated } from '../../../db/partition-removal';
import { ensurePartitions } from '../../../db/partitions';
import { createTelemetryStore } from '../../../db/telemetry-store';
import { keptFrom } from '../../../db/time-series-upkeep';
import { withUpkeepConnection } from '../../../db/upkeep-connection';
import { addEv, addFeeder } from '../../support/fleet-rows';
import { createTestDatabase, eventually, type TestDatabase } from '../../support/servers';

const DAY_MS = 86_400_000;
const THE_DAY = Date.parse('2020-03-10T00:00:00Z');
const RUN = randomUUID();

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase({ poolSize: 8 });
  await addFeeder(database.db, 'north');
  await addEv(database.db, 'ev-1', 'north');
});
afterEach(() => database.drop());

const close = (name: string, signal = new AbortController().signal) =>
  withUpkeepConnection(database.direct, signal, (connection) => closePartition(connection, name, RUN));

const makeTheDay = (...tables: TimeSeries[]) =>
  ensurePartitions(database.db, THE_DAY, { daysBack: 0, daysAhead: 0, tables });

/** One sample each ten seconds from midnight on. */
const addSamples = (count: number): Promise<unknown> =>
  database.db.query(
    `insert into telemetry (device_key, sampled_at, received_at, message_id, power_kw, energy_kwh, soc, voltage_v, online, fault_code)
     select device_key, to_timestamp($1::float8 / 1000) + make_interval(secs => n * 10), now(), gen_random_uuid(),
            n % 90, 100 + n, 0.25 + (n % 90) / 200.0, 230 + n % 3, n % 90 <> 7, case when n % 90 in (8, 9) then 'E1' end
       from devices, generate_series(0, $2 - 1) n where device_id = 'ev-1'`,
    [THE_DAY, count],
  );

const rowsOf = async <Row extends Record<string, unknown>>(sql: string): Promise<Row[]> =>
  (await database.db.query<Row>(sql)).rows;

const exists = async (table: string): Promise<boolean> =>
  (await rowsOf<{ found: boolean }>(`select to_regclass('${table}') is not null as found`))[0]?.found ?? false;

describe('a day of telemetry that is closed', () => {
  it('is summed by quarters of an hour before it is removed', async () => {
    await makeTheDay('telemetry');
    await addSamples(180);
    expect(await close('telemetry_p20200310')).toEqual({
      series: 'telemetry',
      name: 'telemetry_p20200310',
      rows: 180,
      carriedRows: 2,
      removed: true,
    });
    const [first, second] = await rowsOf('select * from telemetry_quarter_hours order by quarter_at');
    expect(first).toEqual({
      device_key: expect.any(Number) as number,
      quarter_at: new Date('2020-03-10T00:00:00Z'),
      samples: 90,
      online_samples: 89,
      fault_samples: 2,
      mean_kw: 44.5,
      min_kw: 0,
      max_kw: 89,
      energy_first_kwh: 100,
      energy_last_kwh: 189,
      soc_first: 0.25,
      soc_last: 0.695,
      voltage_min_v: 230,
      voltage_max_v: 232,
    });
    expect(second).toMatchObject({ quarter_at: new Date('2020-03-10T00:15:00Z'), energy_first_kwh: 190 });
    expect(await exists('telemetry_p20200310')).toBe(false);
  });

  it('of meters is summed too', async () => {
    await makeTheDay('meter_readings');
    await database.db.query(
      `insert into meter_readings (feeder_id, sampled_at, received_at, message_id, flow_kw)
       select 'north', to_timestamp($1::float8 / 1000) + make_interval(secs => n), now(), gen_random_uuid(), -n from generate_series(0, 4) n`,
      [THE_DAY],
    );
    await close('meter_readings_p20200310');
    expect(await rowsOf('select feeder_id, samples, mean_kw, min_kw, max_kw from meter_quarter_hours')).toEqual([
      { feeder_id: 'north', samples: 5, mean_kw: -2, min_kw: -4, max_kw: 0 },
    ]);
  });

  it('stays as it is when a sample would be in no sum', async () => {
    await makeTheDay('telemetry');
    await addSamples(3);
    // A rule on the sums that takes one away stands for any fault of ours.
    await database.db.query(
      `create function lose_one() returns trigger language plpgsql as 'begin new.samples := new.samples - 1; return new; end'`,
    );
    await database.db.query(
      'create trigger lose_one before insert on telemetry_quarter_hours for each row execute function lose_one()',
    );
    await expect(close('telemetry_p20200310')).rejects.toThrow('has 3 samples, the sums made of them 2');
    expect(await rowsOf('select count(*)::int from telemetry_p20200310')).toEqual([{ count: 3 }]);
    expect(await rowsOf('select * from telemetry_quarter_hours')).toEqual([]);
  });

  it.each([
    ['before it was out of its series', 'pending'],
    ['before it was summed', 'detached'],
    ['before it was dropped', 'carried'],
  ])('by a run that died %s is finished by the next one, each sample counted once', async (_when, reached) => {
    await makeTheDay('telemetry');
    await addSamples(180);
    if (reached === 'pending') await detachHalfWay('telemetry', 'telemetry_p20200310');
    else await database.db.query('alter table telemetry detach partition telemetry_p20200310 concurrently');
    if (reached === 'carried') await whileItIsRead('telemetry_p20200310', () => close('telemetry_p20200310'));
    expect(await close('telemetry_p20200310')).toMatchObject({ rows: 180, carriedRows: 2, removed: true });
    expect(await rowsOf('select sum(samples)::int as samples from telemetry_quarter_hours')).toEqual([
      { samples: 180 },
    ]);
    expect(await listClosed(database.db, RUN)).toEqual([
      { series: 'telemetry', name: 'telemetry_p20200310', rows: 180, carriedRows: 2, removed: true },
    ]);
  });

  it('is left for the next run while a dump that began after it was taken out reads it', async () => {
    await makeTheDay('telemetry');
    await addSamples(1);
    await database.db.query('alter table telemetry detach partition telemetry_p20200310 concurrently');
    const left = await whileItIsRead('telemetry_p20200310', () => close('telemetry_p20200310'));
    expect(left).toMatchObject({ removed: false, rows: 1, carriedRows: 1 });
    const outdated = await listOutdated(database.db, keptFrom(Date.now(), 30));
    expect(outdated.map(({ name }) => name)).toContain('telemetry_p20200310');
  });

  it('waits for a reader until it is told to stop, and leaves no statement on the server', async () => {
    await makeTheDay('telemetry');
    await addSamples(1);
    const stop = new AbortController();
    await whileItIsRead('telemetry', async () => {
      const closing = close('telemetry_p20200310', stop.signal);
      await eventually(async () => expect(await waiting()).toBe(1));
      stop.abort(new Error('the worker stops'));
      await expect(closing).rejects.toThrow('the worker stops');
      await eventually(async () => expect(await waiting()).toBe(0));
    });
  });
});

it('cycles and setpoints planned while a dispatch was in force are kept, and go on being listed', async () => {
  await makeTheDay('control_cycles', 'setpoints', 'control_cycle_inputs');
  await database.db.query(
    `insert into dispatches (dispatch_id, feeder_id, starts_at, ends_at, begins_at, import_limit_kw, primacy, reason, state, requested_by, request_digest)
     values (gen_random_uuid(), 'north', '2020-03-10T10:00Z', '2020-03-10T11:00Z', '2020-03-10T10:00Z', 5, 1, 'test', 'completed', 'anna', '')`,
  );
  await database.db.query(
    `insert into dispatch_measurements (dispatch_id, measured_at, cycle) select dispatch_id, '2020-03-10T10:00:05.123456Z', 2 from dispatches`,
  );
  for (const [cycle, at] of [
    [1, '2020-03-10T09:59:55Z'],
    [2, '2020-03-10T10:00:05.123456Z'],
  ] as const) {
    await database.db.query(
      `insert into control_cycles (root_feeder_id, chain_id, cycle, planned_at, plan_id, tick_at, missed_ticks, mode, interval_seconds,
                                   changes, renewals, infeasible, summary, nodes)
       values ('north', gen_random_uuid(), $1, $2, gen_random_uuid(), $2, 0, 'automatic', 10, 1, 0, false, '', '[]')`,
      [cycle, at],
    );
    await database.db.query(
      `insert into setpoints (device_key, planned_at, plan_id, root_feeder_id, target_kw, valid_until, level, tier, note)
       select device_key, $2, gen_random_uuid(), 'north', $1, $2, 0, 1, '' from devices`,
      [cycle, at],
    );
  }
  expect(await close('control_cycles_p20200310')).toMatchObject({ rows: 2, carriedRows: 1 });
  expect(await close('setpoints_p20200310')).toMatchObject({ rows: 2, carriedRows: 1 });
  expect(await close('control_cycle_inputs_p20200310')).toMatchObject({ rows: 0, carriedRows: 0 });
  expect(await rowsOf('select cycle from cycles_on_record')).toEqual([{ cycle: '2' }]);
  expect(await rowsOf('select target_kw from setpoints_on_record')).toEqual([{ target_kw: 2 }]);
  await expect(database.db.query('delete from kept_cycles')).rejects.toThrow('permission denied');
});

it('what is past its time is telemetry of 30 days, inputs of 30, cycles of 90, sums of two years more', async () => {
  const now = THE_DAY + 12 * 3_600_000;
  const all: TimeSeries[] = [
    'telemetry',
    'meter_readings',
    'control_cycles',
    'control_cycle_inputs',
    'setpoints',
    'telemetry_quarter_hours',
    'meter_quarter_hours',
  ];
  for (const days of [30, 31, 32, 90, 91, 92, 762, 793])
    await ensurePartitions(database.db, now - days * DAY_MS, { daysBack: 0, daysAhead: 0, tables: all });
  const newestOf = async (series: TimeSeries): Promise<string | undefined> =>
    (await listOutdated(database.db, keptFrom(now, 30))).filter((found) => found.series === series).at(-1)?.name;
  expect(await Promise.all(all.map(newestOf))).toEqual([
    'telemetry_p20200207', // ended 31 and a half days ago
    'meter_readings_p20200207',
    'control_cycles_p20191209',
    'control_cycle_inputs_p20200207',
    'setpoints_p20191209',
    'telemetry_quarter_hours_p20180101', // has days of up to 31 January 2018: 770 days ago
    'meter_quarter_hours_p20180101',
  ]);
});

it('pitfall: partitions come and go while a dump holds its locks, and the ingest commits within half a second', async () => {
  await makeTheDay('telemetry');
  await addSamples(10);
  const store = createTelemetryStore(database.db);
  const commitMs: number[] = [];
  let closing: ReturnType<typeof close> | undefined;
  await whileItIsRead('telemetry', async () => {
    closing = close('telemetry_p20200310');
    await eventually(async () => expect(await waiting()).toBe(1));
    await ensurePartitions(database.db, THE_DAY, { daysBack: 3, daysAhead: -3, tables: ['telemetry'] });
    for (let tag = 1; tag <= 20; tag += 1) {
      const from = performance.now();
      await store.storeDeviceSamples(aSample(Date.now() + tag), 0);
      commitMs.push(performance.now() - from);
    }
  });
  expect(await closing).toMatchObject({ rows: 10, removed: true });
  expect(await exists('telemetry_p20200307')).toBe(true);
  expect(Math.max(...commitMs)).toBeLessThan(500);
});

const aSample = (sampledAtMs: number) => ({
  deviceKey: [1],
  sampledAtMs: [sampledAtMs],
  messageId: [randomUUID()],
  powerKw: [1],
  energyKwh: [null],
  soc: [null],
  voltageV: [null],
  currentA: [null],
  online: [true],
  faultCode: [null],
});

/** As a dump does: a transaction with one snapshot that has the table open. */
const whileItIsRead = <T>(table: string, story: () => Promise<T>): Promise<T> =>
  database.db.transaction(
    async (tx) => {
      await tx.query(`lock table ${table} in access share mode`);
      await tx.query('set local idle_in_transaction_session_timeout = 0');
      return story();
    },
    { isolation: 'repeatable read' },
  );

/** Statements of the removal that stand on the server. */
const waiting = async (): Promise<number> =>
  (
    await rowsOf<{ count: number }>(
      `select count(*)::int from pg_stat_activity where query like 'alter table % detach%' and wait_event_type = 'Lock'
          and pid <> pg_backend_pid() and datname = current_database()`,
    )
  )[0]?.count ?? 0;

/** Leaves the partition where a server that died between the two halves of the statement leaves it. */
async function detachHalfWay(series: string, name: string): Promise<void> {
  const stop = new AbortController();
  await whileItIsRead(series, async () => {
    const detaching = withUpkeepConnection(database.direct, stop.signal, (connection) =>
      connection.query(`alter table ${series} detach partition ${name} concurrently`),
    );
    await eventually(async () => expect(await waiting()).toBe(1));
    stop.abort(new Error('killed'));
    await expect(detaching).rejects.toThrow('killed');
    await eventually(async () => expect(await waiting()).toBe(0));
  });
  expect(
    await rowsOf("select inhdetachpending from pg_inherits where inhrelid = 'telemetry_p20200310'::regclass"),
  ).toEqual([{ inhdetachpending: true }]);
}
