import type { TimeSeries } from './application-role';
import { ensurePartitions } from './partitions';
import type { Transactions } from './pool';

const DAY_MS = 86_400_000;
const DAYS_AHEAD = 7;

const QUARTER_HOUR_DAYS = 2 * 365;

/**
 * From when on each series is kept, ms since the epoch: telemetry by configuration, then its quarter-hour sums for two
 * years; cycle inputs 30 days; cycles and setpoints 90. A day is closed when it has ended so long ago, and a day more.
 */
export function keptFrom(nowMs: number, telemetryDays: number): Readonly<Record<TimeSeries, number>> {
  const from = (days: number): number => nowMs - (days + 1) * DAY_MS;
  return {
    telemetry: from(telemetryDays),
    meter_readings: from(telemetryDays),
    telemetry_quarter_hours: from(telemetryDays + QUARTER_HOUR_DAYS),
    meter_quarter_hours: from(telemetryDays + QUARTER_HOUR_DAYS),
    control_cycle_inputs: from(30),
    control_cycles: from(90),
    setpoints: from(90),
  };
}

/** What we write ourselves is always of now. */
export async function prepareTimeSeries(db: Transactions, nowMs: number, telemetryDays: number): Promise<string[]> {
  const ours = {
    daysBack: 1,
    daysAhead: DAYS_AHEAD,
    tables: ['control_cycles', 'control_cycle_inputs', 'setpoints'],
  } as const;
  return [...(await prepareTelemetry(db, nowMs, telemetryDays)), ...(await ensurePartitions(db, nowMs, ours))];
}

/** Telemetry may come late by as long as it is kept. */
export const prepareTelemetry = (db: Transactions, nowMs: number, telemetryDays: number): Promise<string[]> =>
  ensurePartitions(db, nowMs, {
    daysBack: telemetryDays,
    daysAhead: DAYS_AHEAD,
    tables: ['telemetry', 'meter_readings'],
  });
