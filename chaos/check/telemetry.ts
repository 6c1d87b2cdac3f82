import type { AcknowledgedReading, DoneFault, TelemetryRecords } from '../records';
import { finding, type Finding } from './finding';

/** A save takes a moment, and an acknowledgement its way, ms. */
const SLACK_MS = 2_000;

/**
 * Every reading that a broker has acknowledged to its publisher is stored, once. What a killed broker had not yet saved
 * may be gone: only what it took within one save interval before it was killed.
 */
export function checkTelemetry(records: TelemetryRecords, faults: readonly DoneFault[]): Finding[] {
  const { acknowledged, stored } = records;
  const times = new Map<string, number>();
  for (const { deviceId, sampledAtMs } of stored) count(times, keyOf(deviceId, sampledAtMs));
  const missing = acknowledged.filter(({ deviceId, timestampMs }) => !times.has(keyOf(deviceId, timestampMs)));
  const lost = missing.filter((reading) => !mayBeLost(reading, records, faults));
  const doubled = [...times].filter(([, each]) => each > 1).map(([key]) => key);
  const looked = acknowledged.length;
  const withBroker = missing.length - lost.length;
  return [
    finding(
      'every acknowledged reading is stored',
      lost.map(({ deviceId, timestampMs }) => keyOf(deviceId, timestampMs)),
      { looked, at: `acknowledged, ${String(withBroker)} of them gone with a broker that was killed before it saved` },
    ),
    finding('no reading is stored twice', doubled, { looked: stored.length, at: 'stored' }),
  ];
}

function mayBeLost(
  { acknowledgedAtMs, brokerIndex }: AcknowledgedReading,
  { brokers, autosaveMs }: TelemetryRecords,
  faults: readonly DoneFault[],
): boolean {
  const broker = brokers[brokerIndex];
  return faults.some(
    ({ target, kind, beganAtMs }) =>
      target === broker &&
      kind === 'kill' &&
      acknowledgedAtMs <= beganAtMs + SLACK_MS &&
      acknowledgedAtMs >= beganAtMs - autosaveMs - SLACK_MS,
  );
}

const keyOf = (deviceId: string, atMs: number): string => `${deviceId} of ${new Date(atMs).toISOString()}`;

function count(times: Map<string, number>, key: string): void {
  times.set(key, (times.get(key) ?? 0) + 1);
}
