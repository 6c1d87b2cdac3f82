import { randomUUID } from 'node:crypto';

export const DEVICES = 10_000;
export const FEEDERS = 100;

export const deviceId = (device: number): string => `ev-${String(device).padStart(5, '0')}`;
export const feederId = (device: number): string => `feeder-${String(device % FEEDERS).padStart(3, '0')}`;

/** What an EV charger of the fleet sends, about 400 bytes with the fields that agents in the field send. */
export function telemetryMessage(device: number, timestampMs: number): string {
  return JSON.stringify({
    v: 1,
    messageType: 'telemetry',
    messageId: randomUUID(),
    deviceId: deviceId(device),
    deviceType: 'ev',
    timestampMs,
    sentAtMs: timestampMs,
    source: 'simulator',
    payload: {
      readings: {
        powerKw: Math.round(Math.random() * 11_000) / 1000,
        energyKwh: Math.round(Math.random() * 1e6) / 1000,
        soc: Math.round(Math.random() * 1000) / 1000,
        voltageV: 228 + Math.round(Math.random() * 40) / 10,
        currentA: Math.round(Math.random() * 160) / 10,
      },
      status: { online: true },
      capabilities: { maxImportKw: 11 },
      siteId: `site-${String(device)}`,
      feederId: feederId(device),
    },
  });
}
