import type { TimeSeries } from './application-role';
import { ensurePartitions, removePartitions } from './partitions';
import type { Database } from './pool';

const DAY_MS = 86_400_000;
const DAYS_AHEAD = 7;

/** Days each series is kept (design: cycle inputs 30 days, cycles and setpoints 90 days); telemetry by configuration. */
const keptDays = (telemetryDays: number): Readonly<Record<TimeSeries, number>> => ({
  telemetry: telemetryDays,
  meter_readings: telemetryDays,
  control_cycle_inputs: 30,
  control_cycles: 90,
  setpoints: 90,
});

/** Makes the partitions of the coming days, and removes those past their time. Safe to run twice and beside itself. */
export async function maintainTimeSeries(
  db: Database,
  nowMs: number,
  telemetryDays: number,
): Promise<{ made: string[]; removed: string[] }> {
  const made = await prepareTimeSeries(db, nowMs, telemetryDays);
  const removed: string[] = [];
  for (const [table, days] of Object.entries(keptDays(telemetryDays)) as [TimeSeries, number][]) {
    removed.push(...(await removePartitions(db, table, nowMs - (days + 1) * DAY_MS)));
  }
  return { made, removed };
}

/** What we write ourselves is always of now. */
export async function prepareTimeSeries(db: Database, nowMs: number, telemetryDays: number): Promise<string[]> {
  const ours = {
    daysBack: 1,
    daysAhead: DAYS_AHEAD,
    tables: ['control_cycles', 'control_cycle_inputs', 'setpoints'],
  } as const;
  return [...(await prepareTelemetry(db, nowMs, telemetryDays)), ...(await ensurePartitions(db, nowMs, ours))];
}

/** Telemetry may come late by as long as it is kept. */
export const prepareTelemetry = (db: Database, nowMs: number, telemetryDays: number): Promise<string[]> =>
  ensurePartitions(db, nowMs, {
    daysBack: telemetryDays,
    daysAhead: DAYS_AHEAD,
    tables: ['telemetry', 'meter_readings'],
  });
