import type { AlertCase, Series } from '../alert-case';

const device = (values: string): Series => ({ 'derms_ingest_refused_total{reason="too-many"}': values });
const callers = (values: string): Series => ({ 'derms_http_rate_limited_total{policy="reads"}': values });
const newcomers = (values: string): Series => ({ 'derms_http_connections_ended_total{what="newcomer"}': values });

const forger = (values: string): Series => ({
  'derms_broker_turned_away_total{client="pv-1",what="publish",job="derms-broker-agent",instance="broker-active"}':
    values,
});

export const floods: readonly AlertCase[] = [
  {
    ...{ alert: 'DermsDeviceTurnedAway', series: forger('0+6x40'), fires: true, atMinute: 25 },
    labels: { client: 'pv-1', what: 'publish' },
    says: 'The broker turns pv-1 away (publish), 60 times in ten minutes.',
  },
  // Once, by mistake.
  { alert: 'DermsDeviceTurnedAway', series: forger('0x5 2x35'), fires: false, atMinute: 14 },
  {
    ...{ alert: 'DermsDeviceFloods', series: device('0+600x30'), fires: true, atMinute: 15 },
    says: 'Devices send more than they may, by 20 a second.',
  },
  // What came with the end of an outage, and was over at once.
  { alert: 'DermsDeviceFloods', series: device('0x5 900x30'), fires: false, atMinute: 15 },
  {
    alert: 'DermsDeviceFloods',
    series: { 'derms_ingest_refused_total{reason="malformed-json"}': '0+600x30' },
    ...{ fires: false, atMinute: 15 },
  },
  {
    ...{ alert: 'DermsCallersTurnedAway', series: callers('0+300x30'), fires: true, atMinute: 15 },
    labels: { policy: 'reads' },
    says: 'Callers ask more often than they may (reads), by 10 a second.',
  },
  { alert: 'DermsCallersTurnedAway', series: callers('0+10x30'), fires: false, atMinute: 15 },
  {
    ...{ alert: 'DermsConnectionsFull', series: newcomers('0x5 2x30'), fires: true, atMinute: 7 },
    says: 'Callers that found no place at the API: 4.',
  },
  { alert: 'DermsConnectionsFull', series: newcomers('9x40'), fires: false, atMinute: 20 },
];
