import type { AlertCase } from '../alert-case';

const messages = (values: string) => ({ 'derms_ingest_messages_total{kind="telemetry"}': values });
const refused = (values: string) => ({ 'derms_ingest_refused_total{reason="malformed-json"}': values });
const DEVICES = { 'derms_control_loop_devices{feeder="elm-street"}': '40x60' };
const stale = (values: string) => ({ ...DEVICES, 'derms_control_loop_stale_devices{feeder="elm-street"}': values });

export const telemetry: readonly AlertCase[] = [
  {
    ...{ alert: 'DermsTelemetryStopped', series: { ...messages('0+20x10 200x30'), ...DEVICES }, fires: true },
    ...{ atMinute: 20, says: 'No telemetry has been taken for five minutes (0 messages per second).' },
  },
  { alert: 'DermsTelemetryStopped', series: { ...messages('0+20x40'), ...DEVICES }, fires: false, atMinute: 20 },
  // Nobody is to be heard from yet.
  { alert: 'DermsTelemetryStopped', series: messages('0x40'), fires: false, atMinute: 20 },
  {
    ...{ alert: 'DermsTelemetryRejected', series: { ...messages('0+100x40'), ...refused('0+10x40') }, fires: true },
    ...{ atMinute: 20, says: '10% of the messages from devices are refused.' },
  },
  {
    ...{ alert: 'DermsTelemetryRejected', series: { ...messages('0+100x40'), ...refused('0+4x40') }, fires: false },
    atMinute: 20,
  },
  {
    ...{ alert: 'DermsTelemetryStale', series: stale('0x5 10x30'), fires: true, atMinute: 12 },
    labels: { feeder: 'elm-street' },
    says: '25% of the devices below elm-street have not reported for a while.',
  },
  { alert: 'DermsTelemetryStale', series: stale('0x5 8x30'), fires: false, atMinute: 12 },
  {
    ...{ alert: 'DermsTelemetryDropped', series: { derms_ingest_qos0_dropped_total: '0x5 3x30' }, fires: true },
    ...{ atMinute: 8, says: 'Messages sent with QoS 0 that were dropped within ten minutes, the queue being full: 6.' },
  },
  { alert: 'DermsTelemetryDropped', series: { derms_ingest_qos0_dropped_total: '3x40' }, fires: false, atMinute: 20 },
  {
    ...{ alert: 'DermsTelemetryNotStored', series: { derms_ingest_database_retries_total: '0+5x40' }, fires: true },
    atMinute: 20,
    says: 'PostgreSQL did not take telemetry at 100 attempts within ten minutes; the backlog waits in the broker.',
  },
  // It was started again.
  {
    ...{ alert: 'DermsTelemetryNotStored', series: { derms_ingest_database_retries_total: '0x5 4x30' }, fires: false },
    atMinute: 12,
  },
];
