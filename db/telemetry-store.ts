import { DatabaseError } from 'pg';
import type { DeviceSamples, MeterSamples, StoreOutcome } from '../domain/samples';
import type { Queryable } from './pool';
import { boolArray, float8Array, int4Array, textArray, timestamptzArray, uuidArray } from './telemetry-arrays';

/**
 * Samples from the wire into Postgres: a batch is one statement, which is one transaction, so an answer means that all
 * of it is on disk. Running it twice changes nothing.
 *
 * `heldMs` is how long the newest sample has been in our hands: arrival is Postgres' `now()` less that, so that it stands on
 * the same clock as the age of a sample, and our own waiting (a database that was away) is not taken for clock skew.
 */
export function createTelemetryStore(db: Queryable) {
  const deviceSamples = new BatchInsert(db, STORE_DEVICE_SAMPLES);
  const meterSamples = new BatchInsert(db, STORE_METER_SAMPLES);
  return {
    storeDeviceSamples: (samples: DeviceSamples, heldMs: number): Promise<StoreOutcome> =>
      deviceSamples.run([
        int4Array(samples.deviceKey),
        timestamptzArray(samples.sampledAtMs),
        uuidArray(samples.messageId),
        float8Array(samples.powerKw),
        float8Array(samples.energyKwh),
        float8Array(samples.soc),
        float8Array(samples.voltageV),
        float8Array(samples.currentA),
        boolArray(samples.online),
        textArray(samples.faultCode),
        heldMs,
      ]),

    storeMeterSamples: (samples: MeterSamples, heldMs: number): Promise<StoreOutcome> =>
      meterSamples.run([
        textArray(samples.feederId),
        timestamptzArray(samples.sampledAtMs),
        uuidArray(samples.messageId),
        float8Array(samples.flowKw),
        heldMs,
      ]),
  };
}

/** After a duplicate so many batches expect more of them: they come in rows, after a reconnect or from one agent. */
const EXPECT_DUPLICATES_FOR = 50;
const UNIQUE_VIOLATION = '23505';

/**
 * Inserts a batch, at first as if nothing of it were there: `on conflict` costs a third of the insert, and on most
 * days no message comes twice. A duplicate fails the whole statement, which is then run again with `on conflict`.
 */
class BatchInsert {
  private expectDuplicates = 0;

  constructor(
    private readonly db: Queryable,
    private readonly sql: (onConflict: string) => string,
  ) {}

  async run(values: unknown[]): Promise<StoreOutcome> {
    if (this.expectDuplicates === 0) {
      try {
        return await this.attempt('', values);
      } catch (error) {
        if (!(error instanceof DatabaseError) || error.code !== UNIQUE_VIOLATION) throw error;
        this.expectDuplicates = EXPECT_DUPLICATES_FOR;
      }
    }
    this.expectDuplicates -= 1;
    return this.attempt('on conflict do nothing', values);
  }

  private async attempt(onConflict: string, values: unknown[]): Promise<StoreOutcome> {
    try {
      const { rows } = await this.db.query<{ stored: number }>(this.sql(onConflict), values);
      return { stored: rows[0]?.stored ?? 0 };
    } catch (error) {
      const refused = refusalOf(error);
      if (refused === null) throw error;
      return { refused, detail: (error as DatabaseError).message }; // refusalOf took it for one
    }
  }
}

/**
 * The clock's columns of a state row: least receive delay of this half hour and of the one before. Only a sample that
 * is newer than the state can lower it: an older one that arrives now has been under way for longer.
 */
const CLOCK_OF_SAMPLE = `
         floor(date_part('epoch', received_at) / 1800)::integer,
         (date_part('epoch', received_at - sampled_at) * 1000)::bigint`;
const CLOCK_UPDATE = `
    clock_half_hour = greatest(s.clock_half_hour, excluded.clock_half_hour),
    clock_least_ms = case when excluded.clock_half_hour > s.clock_half_hour then excluded.clock_least_ms
                          else least(s.clock_least_ms, excluded.clock_least_ms) end,
    clock_previous_ms = case when excluded.clock_half_hour <= s.clock_half_hour then s.clock_previous_ms
                             when excluded.clock_half_hour = s.clock_half_hour + 1 then s.clock_least_ms end`;

/** State follows only from what was stored now, newest per device, in key order so that two batches never deadlock. */
const STORE_DEVICE_SAMPLES = (onConflict: string): string => `
  with stored as (
    insert into telemetry (device_key, sampled_at, received_at, message_id, power_kw, energy_kwh, soc, voltage_v,
                           current_a, online, fault_code)
    select device_key, sampled_at, now() - $11 * interval '1 millisecond', message_id, power_kw, energy_kwh, soc,
           voltage_v, current_a, online, fault_code
      from unnest($1::integer[], $2::timestamptz[], $3::uuid[], $4::float8[], $5::float8[], $6::float8[], $7::float8[],
                  $8::float8[], $9::boolean[], $10::text[])
        as given (device_key, sampled_at, message_id, power_kw, energy_kwh, soc, voltage_v, current_a, online,
                  fault_code)
    ${onConflict}
    returning device_key, sampled_at, received_at, message_id, power_kw, energy_kwh, soc, voltage_v, current_a, online,
              fault_code),
  latest as (
    select distinct on (device_key) * from stored order by device_key, sampled_at desc),
  state as (
    insert into device_state as s (device_key, sampled_at, received_at, message_id, power_kw, energy_kwh, soc,
                                   voltage_v, current_a, online, fault_code, clock_half_hour, clock_least_ms)
    select latest.*, ${CLOCK_OF_SAMPLE}
      from latest order by device_key
    on conflict (device_key) do update set
      sampled_at = excluded.sampled_at, received_at = excluded.received_at, message_id = excluded.message_id,
      power_kw = excluded.power_kw, energy_kwh = excluded.energy_kwh, soc = excluded.soc,
      voltage_v = excluded.voltage_v, current_a = excluded.current_a, online = excluded.online,
      fault_code = excluded.fault_code, ${CLOCK_UPDATE}
    where excluded.sampled_at > s.sampled_at)
  select count(*)::integer as stored from stored`;

const STORE_METER_SAMPLES = (onConflict: string): string => `
  with stored as (
    insert into meter_readings (feeder_id, sampled_at, received_at, message_id, flow_kw)
    select feeder_id, sampled_at, now() - $5 * interval '1 millisecond', message_id, flow_kw
      from unnest($1::text[], $2::timestamptz[], $3::uuid[], $4::float8[])
        as given (feeder_id, sampled_at, message_id, flow_kw)
    ${onConflict}
    returning feeder_id, sampled_at, received_at, message_id, flow_kw),
  latest as (
    select distinct on (feeder_id) * from stored order by feeder_id, sampled_at desc),
  state as (
    insert into meter_state as s (feeder_id, sampled_at, received_at, message_id, flow_kw, clock_half_hour,
                                  clock_least_ms)
    select latest.*, ${CLOCK_OF_SAMPLE}
      from latest order by feeder_id
    on conflict (feeder_id) do update set
      sampled_at = excluded.sampled_at, received_at = excluded.received_at, message_id = excluded.message_id,
      flow_kw = excluded.flow_kw, ${CLOCK_UPDATE}
    where excluded.sampled_at > s.sampled_at)
  select count(*)::integer as stored from stored`;

const CHECK_VIOLATION = '23514';
const FOREIGN_KEY_VIOLATION = '23503';
/** Data exception, integrity constraint violation, program limit exceeded: another row would fare better. */
const FAULTS_OF_A_ROW = ['22', '23', '54'];

/** null when it is not about what was in the batch, or only that it was there already. A row without a partition violates a check that has no name. */
export function refusalOf(error: unknown): 'row' | 'no-partition' | 'registry-changed' | null {
  if (!(error instanceof DatabaseError) || error.code === undefined) return null;
  if (error.code === CHECK_VIOLATION && error.constraint === undefined) return 'no-partition';
  if (error.code === FOREIGN_KEY_VIOLATION) return 'registry-changed';
  if (error.code === UNIQUE_VIOLATION) return null;
  return FAULTS_OF_A_ROW.includes(error.code.slice(0, 2)) ? 'row' : null;
}
