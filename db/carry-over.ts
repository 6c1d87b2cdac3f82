import type { TimeSeries } from './application-role';
import { ensurePartitions, type Partition } from './partitions';
import type { Queryable, Transactions } from './pool';
import { METER_SUM_COLUMNS, METER_SUMS, QUARTER_AT, TELEMETRY_SUM_COLUMNS, TELEMETRY_SUMS } from './quarter-hours';

type Closing = Pick<Partition, 'name' | 'series' | 'startsAtMs'>;

/** What is made of a partition's rows before it goes. */
export interface CarriedOver {
  readonly rows: number;
  /** Sums made of them, or rows kept apart. */
  readonly carriedRows: number;
}

/** Makes the partition that the sums of this one go to. */
export async function makeRoom(connection: Transactions, { series, startsAtMs }: Closing): Promise<void> {
  const tables = SUMS_OF[series];
  if (tables === undefined) return;
  await ensurePartitions(connection, startsAtMs, { daysBack: 0, daysAhead: 0, tables: [tables] });
}

/**
 * Telemetry becomes quarter-hour sums; cycles and setpoints of plans made under a dispatch are kept as they are; nothing
 * is made of the rest.
 *
 * @throws when a sample is in no sum: the partition stays, and so does everything in it.
 */
export async function carryOver(tx: Queryable, { name, series }: Closing): Promise<CarriedOver> {
  const { rows } = await tx.query<{ rows: string; carried: string; accounted: string | null }>(CARRY[series](name));
  const [row] = rows;
  const counted = { rows: Number(row?.rows), carriedRows: Number(row?.carried) };
  const accounted = row?.accounted ?? null;
  if (accounted !== null && Number(accounted) !== counted.rows)
    throw new Error(`${name} has ${String(counted.rows)} samples, the sums made of them ${accounted}: nothing removed`);
  return counted;
}

const SUMS_OF: Partial<Record<TimeSeries, TimeSeries>> = {
  telemetry: 'telemetry_quarter_hours',
  meter_readings: 'meter_quarter_hours',
};

const sums =
  (table: string, key: string, columns: string, aggregates: string) =>
  (name: string): string => `
  with made as (
    insert into ${table} (${key}, quarter_at, ${columns})
    select ${key}, ${QUARTER_AT('sampled_at')}, ${aggregates} from ${name} group by 1, 2
    returning samples)
  select (select count(*) from ${name}) as rows, count(*) as carried, coalesce(sum(samples), 0) as accounted from made`;

/** A plan's measurements of a dispatch, its cycle and its setpoints have one time, that of their transaction. */
const underDispatch =
  (table: string, columns: string) =>
  (name: string): string => `
  with kept as (
    insert into ${table} (${columns})
    select ${columns} from ${name}
     where exists (select 1 from dispatch_measurements where measured_at = ${name}.planned_at)
    returning 1)
  select (select count(*) from ${name}) as rows, count(*) as carried, null as accounted from kept`;

const nothing = (name: string): string => `select count(*) as rows, 0 as carried, null as accounted from ${name}`;

const CARRY: Readonly<Record<TimeSeries, (name: string) => string>> = {
  telemetry: sums('telemetry_quarter_hours', 'device_key', TELEMETRY_SUM_COLUMNS, TELEMETRY_SUMS),
  meter_readings: sums('meter_quarter_hours', 'feeder_id', METER_SUM_COLUMNS, METER_SUMS),
  control_cycles: underDispatch(
    'kept_cycles',
    `root_feeder_id, chain_id, cycle, planned_at, plan_id, tick_at, missed_ticks, mode, interval_seconds, changes,
     renewals, infeasible, summary, nodes`,
  ),
  setpoints: underDispatch(
    'kept_setpoints',
    `device_key, planned_at, plan_id, root_feeder_id, target_kw, previous_kw, valid_until, level, tier, bound_by, note,
     acknowledged_at`,
  ),
  control_cycle_inputs: nothing,
  telemetry_quarter_hours: nothing,
  meter_quarter_hours: nothing,
};
