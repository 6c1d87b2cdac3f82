import { tryRuleFile, type Series } from './rule-file';

const device = (reason: string, values: string): Series => ({
  [`derms_ingest_refused_total{reason="${reason}"}`]: values,
});
const callers = (values: string): Series => ({ 'derms_http_rate_limited_total{policy="reads"}': values });
const newcomers = (values: string): Series => ({ 'derms_http_connections_ended_total{what="newcomer"}': values });

tryRuleFile('floods.yml', [
  { alert: 'DermsDeviceFloods', series: device('too-many', '0+600x30'), fires: true, atMinute: 15 },
  // What came with the end of an outage, and was over at once.
  { alert: 'DermsDeviceFloods', series: device('too-many', '0x5 900x30'), fires: false, atMinute: 15 },
  { alert: 'DermsDeviceFloods', series: device('malformed-json', '0+600x30'), fires: false, atMinute: 15 },
  { alert: 'DermsCallersTurnedAway', series: callers('0+300x30'), fires: true, atMinute: 15 },
  { alert: 'DermsCallersTurnedAway', series: callers('0+10x30'), fires: false, atMinute: 15 },
  { alert: 'DermsConnectionsFull', series: newcomers('0x5 2x30'), fires: true, atMinute: 7 },
  { alert: 'DermsConnectionsFull', series: newcomers('9x40'), fires: false, atMinute: 20 },
]);
