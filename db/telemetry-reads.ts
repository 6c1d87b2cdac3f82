import { DermsError } from '../domain/errors';
import { EXACT_UTC } from './exact-utc';
import type { Queryable } from './pool';

/** A stretch of a series, oldest first: from (included) to (excluded), `after` the last row of the page before. */
export interface SeriesPage {
  readonly from: string;
  readonly to: string;
  readonly after: string | null;
  readonly limit: number;
}

export interface TelemetrySample {
  /** To the microsecond. */
  readonly sampledAt: string;
  readonly receivedAt: string;
  readonly powerKw: number;
  readonly energyKwh: number | null;
  readonly soc: number | null;
  readonly voltageV: number | null;
  readonly currentA: number | null;
  readonly online: boolean;
  readonly faultCode: string | null;
}

const PAGE = `sampled_at >= $2::timestamptz and sampled_at < $3::timestamptz
        and ($4::timestamptz is null or sampled_at > $4)`;
const EXACT_SAMPLED_AT = `to_char(sampled_at at time zone 'UTC', '${EXACT_UTC}')`;

/** @throws {DermsError} DEVICE_NOT_FOUND */
export async function listTelemetry(db: Queryable, deviceId: string, page: SeriesPage): Promise<TelemetrySample[]> {
  const deviceKey = await deviceKeyOf(db, deviceId);
  const { rows } = await db.query<Omit<TelemetrySample, 'receivedAt'> & { receivedAt: Date }>(
    `select ${EXACT_SAMPLED_AT} as "sampledAt", received_at as "receivedAt", power_kw as "powerKw",
            energy_kwh as "energyKwh", soc, voltage_v as "voltageV", current_a as "currentA", online,
            fault_code as "faultCode"
       from telemetry
      where device_key = $1 and ${PAGE}
      order by telemetry.sampled_at limit $5`,
    [deviceKey, page.from, page.to, page.after, page.limit],
  );
  return rows.map((row) => ({ ...row, receivedAt: row.receivedAt.toISOString() }));
}

export interface MeterSample {
  readonly sampledAt: string;
  readonly receivedAt: string;
  readonly flowKw: number;
}

/** @throws {DermsError} FEEDER_NOT_FOUND */
export async function listMeterReadings(db: Queryable, feederId: string, page: SeriesPage): Promise<MeterSample[]> {
  await requireFeeder(db, feederId);
  const { rows } = await db.query<Omit<MeterSample, 'receivedAt'> & { receivedAt: Date }>(
    `select ${EXACT_SAMPLED_AT} as "sampledAt", received_at as "receivedAt", flow_kw as "flowKw"
       from meter_readings
      where feeder_id = $1 and ${PAGE}
      order by meter_readings.sampled_at limit $5`,
    [feederId, page.from, page.to, page.after, page.limit],
  );
  return rows.map((row) => ({ ...row, receivedAt: row.receivedAt.toISOString() }));
}

export interface SetpointRecord {
  readonly plannedAt: string;
  readonly planId: string;
  readonly rootFeederId: string;
  readonly targetKw: number;
  readonly previousKw: number | null;
  readonly validUntil: string;
  readonly level: number;
  readonly tier: number;
  readonly boundBy: string | null;
  readonly note: string;
  readonly acknowledgedAt: string | null;
}

/**
 * Setpoints that changed, newest first; `before` is the time of the last row of the page before.
 *
 * @throws {DermsError} DEVICE_NOT_FOUND
 */
export async function listSetpoints(
  db: Queryable,
  deviceId: string,
  { before, limit }: { readonly before: string | null; readonly limit: number },
): Promise<SetpointRecord[]> {
  const deviceKey = await deviceKeyOf(db, deviceId);
  const { rows } = await db.query<
    Omit<SetpointRecord, 'validUntil' | 'acknowledgedAt'> & { validUntil: Date; acknowledgedAt: Date | null }
  >(
    `select to_char(planned_at at time zone 'UTC', '${EXACT_UTC}') as "plannedAt", plan_id as "planId",
            root_feeder_id as "rootFeederId", target_kw as "targetKw", previous_kw as "previousKw",
            valid_until as "validUntil", level, tier, bound_by as "boundBy", note, acknowledged_at as "acknowledgedAt"
       from setpoints_on_record
      where device_key = $1 and planned_at < coalesce($2::timestamptz, 'infinity')
      order by setpoints_on_record.planned_at desc limit $3`,
    [deviceKey, before, limit],
  );
  return rows.map((row) => ({
    ...row,
    validUntil: row.validUntil.toISOString(),
    acknowledgedAt: row.acknowledgedAt?.toISOString() ?? null,
  }));
}

export interface RefusedMessage {
  readonly id: number;
  readonly receivedAt: string;
  readonly reason: string;
  readonly detail: string;
  readonly topic: string;
  readonly payload: string;
}

/** A sample of what was refused, newest first; `beforeId` is that of the last row of the page before. */
export async function listRefused(
  db: Queryable,
  {
    reason,
    beforeId,
    limit,
  }: { readonly reason: string | null; readonly beforeId: number | null; readonly limit: number },
): Promise<RefusedMessage[]> {
  const { rows } = await db.query<Omit<RefusedMessage, 'id' | 'receivedAt'> & { id: string; receivedAt: Date }>(
    `select id, received_at as "receivedAt", reason, detail, topic, payload
       from refused_telemetry
      where ($1::text is null or reason = $1) and ($2::bigint is null or id < $2)
      order by id desc limit $3`,
    [reason, beforeId, limit],
  );
  return rows.map((row) => ({ ...row, id: Number(row.id), receivedAt: row.receivedAt.toISOString() }));
}

/** @throws {DermsError} DEVICE_NOT_FOUND */
export async function deviceKeyOf(db: Queryable, deviceId: string): Promise<number> {
  const { rows } = await db.query<{ device_key: number }>('select device_key from devices where device_id = $1', [
    deviceId,
  ]);
  if (rows[0] === undefined) throw new DermsError('DEVICE_NOT_FOUND', `There is no device ${deviceId}.`);
  return rows[0].device_key;
}

/** @throws {DermsError} FEEDER_NOT_FOUND */
export async function requireFeeder(db: Queryable, feederId: string): Promise<void> {
  const { rowCount } = await db.query('select 1 from feeders where feeder_id = $1', [feederId]);
  if (rowCount === 0) throw new DermsError('FEEDER_NOT_FOUND', `There is no feeder ${feederId}.`);
}
