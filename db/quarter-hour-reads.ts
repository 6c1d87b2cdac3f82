import { EXACT_UTC } from './exact-utc';
import type { Queryable } from './pool';
import { METER_SUM_COLUMNS, METER_SUMS, QUARTER_AT, TELEMETRY_SUM_COLUMNS, TELEMETRY_SUMS } from './quarter-hours';
import { deviceKeyOf, requireFeeder, type SeriesPage } from './telemetry-reads';

/** A quarter of an hour of a meter or a device; of the quarter that goes on, what there is. */
export interface QuarterHour {
  readonly quarterAt: string;
  readonly samples: number;
  readonly meanKw: number;
  readonly minKw: number;
  readonly maxKw: number;
}

export interface TelemetryQuarterHour extends QuarterHour {
  readonly onlineSamples: number;
  readonly faultSamples: number;
  readonly energyFirstKwh: number | null;
  readonly energyLastKwh: number | null;
  readonly socFirst: number | null;
  readonly socLast: number | null;
  readonly voltageMinV: number | null;
  readonly voltageMaxV: number | null;
}

/**
 * Quarters that begin in the stretch, oldest first: stored ones of days that are closed, and those of the samples that are
 * still there. A day is one or the other.
 *
 * @throws {DermsError} DEVICE_NOT_FOUND
 */
export async function listTelemetryQuarterHours(
  db: Queryable,
  deviceId: string,
  page: SeriesPage,
): Promise<TelemetryQuarterHour[]> {
  const { rows } = await db.query<TelemetryQuarterHour>(
    `select ${QUARTER}, online_samples as "onlineSamples", fault_samples as "faultSamples",
            energy_first_kwh as "energyFirstKwh", energy_last_kwh as "energyLastKwh", soc_first as "socFirst",
            soc_last as "socLast", voltage_min_v as "voltageMinV", voltage_max_v as "voltageMaxV"
       from (select quarter_at, ${TELEMETRY_SUM_COLUMNS} from telemetry_quarter_hours where device_key = $1 and ${BEGINS}
             union all
             select ${QUARTER_AT('sampled_at')}, ${TELEMETRY_SUMS} from telemetry where device_key = $1 and ${SAMPLED}
              group by 1) q
      where ${BEGINS} order by q.quarter_at limit $5`,
    [await deviceKeyOf(db, deviceId), page.from, page.to, page.after, page.limit],
  );
  return rows;
}

/** The same of a meter. @throws {DermsError} FEEDER_NOT_FOUND */
export async function listMeterQuarterHours(db: Queryable, feederId: string, page: SeriesPage): Promise<QuarterHour[]> {
  await requireFeeder(db, feederId);
  const { rows } = await db.query<QuarterHour>(
    `select ${QUARTER}
       from (select quarter_at, ${METER_SUM_COLUMNS} from meter_quarter_hours where feeder_id = $1 and ${BEGINS}
             union all
             select ${QUARTER_AT('sampled_at')}, ${METER_SUMS} from meter_readings where feeder_id = $1 and ${SAMPLED}
              group by 1) q
      where ${BEGINS} order by q.quarter_at limit $5`,
    [feederId, page.from, page.to, page.after, page.limit],
  );
  return rows;
}

const QUARTER = `to_char(quarter_at at time zone 'UTC', '${EXACT_UTC}') as "quarterAt", samples, mean_kw as "meanKw",
            min_kw as "minKw", max_kw as "maxKw"`;
const BEGINS = `quarter_at >= $2::timestamptz and quarter_at < $3::timestamptz
                    and quarter_at > coalesce($4::timestamptz, '-infinity')`;
/** Wide enough for every quarter that begins in the stretch. */
const SAMPLED = `sampled_at >= greatest($2::timestamptz, $4::timestamptz)
                    and sampled_at < $3::timestamptz + interval '15 minutes'`;
