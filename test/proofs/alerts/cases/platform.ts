import type { AlertCase } from '../alert-case';

const db = (values: string | readonly [string, string]) => ({ 'derms_db_up{role="api"}': values });
const temporalUp = (values: string | readonly [string, string]) => ({ 'derms_temporal_up{role="api"}': values });
const mqtt = (api: string, control: string) => ({
  'derms_mqtt_up{role="api",instance="api-0"}': api,
  'derms_mqtt_up{role="control",instance="control-0"}': control,
});
const disconnects = (values: string) => ({ 'derms_mqtt_disconnects_total{role="ingest"}': values });
const atBroker = (primary: string, standby: string, role = 'control') => ({
  [`derms_mqtt_broker_up{broker="primary",role="${role}",instance="c-0"}`]: primary,
  [`derms_mqtt_broker_up{broker="standby",role="${role}",instance="c-0"}`]: standby,
});
const anyBroker = (values: string, role = 'control') => ({
  [`derms_mqtt_up{role="${role}",instance="c-0"}`]: values,
});
const up = (job: string, values: string | readonly [string, string]) => ({ [`up{job="${job}"}`]: values });
const restarts = (values: string) => ({
  'derms_worker_role_restarts_total{worker_role="control",instance="w-0"}': values,
});
const started = (values: string) => ({ 'process_start_time_seconds{job="derms-ingest",instance="i-0"}': values });
const requests = (status: string, values: string) => ({
  [`derms_http_request_duration_seconds_count{route="/api/feeders",status="${status}"}`]: values,
});
const errors = (status: string, values: string) => ({ [`derms_http_errors_total{status="${status}"}`]: values });
/** Everything that must never be absent. */
const ALL_GAUGES = {
  derms_db_up: '1x40',
  derms_mqtt_up: '1x40',
  derms_mqtt_disconnects_total: '0x40',
  derms_temporal_up: '1x40',
  'derms_control_loop_ok{feeder="north"}': '1x40',
  'derms_control_loop_offline_devices{feeder="north"}': '0x40',
  'derms_cycles_total{outcome="publish"}': '0x40',
  'derms_ingest_messages_total{kind="telemetry"}': '0x40',
};
const gaugeAbsent = (gauge: string) => ({
  labels: { gauge },
  says: `Nobody reports ${gauge}: alerts that stand on it are blind.`,
});

export const platform: readonly AlertCase[] = [
  {
    ...{ alert: 'DermsWatchdog', series: {}, fires: true, atMinute: 0 },
    says: 'Always firing: whoever stops hearing this no longer hears of anything else.',
  },
  {
    ...{ alert: 'DermsDatabaseDown', series: db('1x5 0x30'), fires: true, atMinute: 8 },
    says: 'PostgreSQL answers no replica of the API (of 2).',
  },
  // Not two minutes yet.
  { alert: 'DermsDatabaseDown', series: db('1x5 0x30'), fires: false, atMinute: 7 },
  { alert: 'DermsDatabaseDown', series: db(['1x5 0x30', '1x40']), fires: false, atMinute: 20 },
  {
    ...{ alert: 'DermsDatabaseUnreachable', series: db(['1x40', '1x5 0x30']), fires: true, atMinute: 8 },
    labels: { role: 'api', instance: 'api-1' },
    says: 'PostgreSQL does not answer api-1, and does answer others.',
  },
  { alert: 'DermsDatabaseUnreachable', series: db('1x5 0x30'), fires: false, atMinute: 8 },
  {
    ...{ alert: 'DermsMqttDown', series: mqtt('1x5 0x30', '1x5 0x30'), fires: true, atMinute: 8 },
    says: 'The MQTT broker answers no process (of 2).',
  },
  { alert: 'DermsMqttDown', series: mqtt('1x5 0 1x30', '1x5 0 1x30'), fires: false, atMinute: 8 },
  // It stays for two minutes, so that what it has caused goes first.
  { alert: 'DermsMqttDown', series: mqtt('1x5 0x5 1x30', '1x5 0x5 1x30'), fires: true, atMinute: 12 },
  { alert: 'DermsMqttDown', series: mqtt('1x5 0x5 1x30', '1x5 0x5 1x30'), fires: false, atMinute: 14 },
  { alert: 'DermsMqttDown', series: mqtt('1x5 0x30', '1x40'), fires: false, atMinute: 20 },
  {
    ...{ alert: 'DermsMqttConnectionDown', series: mqtt('1x40', '1x5 0x30'), fires: true, atMinute: 8 },
    labels: { role: 'control', instance: 'control-0' },
    says: 'control control-0 has no connection to the MQTT broker; others have.',
  },
  { alert: 'DermsMqttConnectionDown', series: mqtt('1x5 0x30', '1x5 0x30'), fires: false, atMinute: 20 },
  {
    ...{ alert: 'DermsMqttBrokerLost', series: { ...atBroker('1x40', '1x5 0x30'), ...anyBroker('1x40') }, fires: true },
    ...{ atMinute: 8, labels: { broker: 'standby' } },
    says: 'Processes that are at one broker only, without the standby one: 1. A loss of the other would be an outage.',
  },
  // Both are gone: that is another alert.
  {
    ...{ alert: 'DermsMqttBrokerLost', series: { ...atBroker('0x40', '0x40'), ...anyBroker('0x40') }, fires: false },
    atMinute: 20,
  },
  {
    alert: 'DermsMqttBrokerLost',
    series: { ...atBroker('1x40', '0x40', 'api'), ...anyBroker('1x40', 'api') },
    ...{ fires: false, atMinute: 20 },
  },
  {
    // Four within the ten minutes, each over before a scrape could see it.
    ...{ alert: 'DermsMqttFlapping', series: disconnects('0x5 1 2 3 4 4x20'), fires: true, atMinute: 10 },
    says: 'A connection to the MQTT broker was lost again and again within ten minutes (4 times).',
  },
  { alert: 'DermsMqttFlapping', series: disconnects('0x5 1 2 3 3x20'), fires: false, atMinute: 10 },
  { alert: 'DermsMqttFlapping', series: disconnects('0x5 1 2 3 4 4x20'), fires: false, atMinute: 25 },
  {
    ...{ alert: 'DermsTemporalDown', series: temporalUp('1x5 0x30'), fires: true, atMinute: 8 },
    says: 'Temporal answers no replica of the API (of 2).',
  },
  { alert: 'DermsTemporalDown', series: temporalUp(['1x5 0x30', '1x40']), fires: false, atMinute: 20 },
  {
    ...{ alert: 'DermsRoleDown', series: up('derms-control', '1x5 0x30'), fires: true, atMinute: 8 },
    labels: { job: 'derms-control' },
    says: 'No process of derms-control answers its scrapes (0 of all).',
  },
  { alert: 'DermsRoleDown', series: up('derms-control', ['1x40', '0x40']), fires: false, atMinute: 20 },
  { alert: 'DermsRoleDown', series: up('derms-jobs', '0x40'), fires: false, atMinute: 20 },
  {
    ...{ alert: 'DermsTargetDown', series: up('derms-api', ['1x40', '1x5 0x30']), fires: true, atMinute: 11 },
    labels: { job: 'derms-api', instance: 'api-1' },
    says: 'derms-api api-1 does not answer its scrapes (up is 0).',
  },
  { alert: 'DermsTargetDown', series: up('derms-api', ['1x40', '1x5 0x4 1x30']), fires: false, atMinute: 11 },
  { alert: 'DermsTargetDown', series: up('node-exporter', '0x40'), fires: false, atMinute: 20 },
  { alert: 'DermsGaugeAbsent', series: ALL_GAUGES, fires: false, atMinute: 20 },
  ...Object.keys(ALL_GAUGES).map((name) => ({
    alert: 'DermsGaugeAbsent',
    series: Object.fromEntries(Object.entries(ALL_GAUGES).filter(([other]) => other !== name)),
    fires: true,
    atMinute: 6,
    ...gaugeAbsent(/^\w+/.exec(name)?.[0] ?? name),
  })),
  {
    ...{ alert: 'DermsRoleRestarts', series: restarts('0x5 1 2 3 3x30'), fires: true, atMinute: 10 },
    labels: { worker_role: 'control', instance: 'w-0' },
    says: 'The control role of w-0 died 3 times within a quarter of an hour.',
  },
  { alert: 'DermsRoleRestarts', series: restarts('0x5 1 2 2x30'), fires: false, atMinute: 10 },
  {
    ...{ alert: 'DermsProcessRestarts', series: started('1x2 2x2 3x2 4x2 5x30'), fires: true, atMinute: 15 },
    labels: { job: 'derms-ingest', instance: 'i-0' },
    says: 'derms-ingest i-0 was started 4 times within half an hour.',
  },
  { alert: 'DermsProcessRestarts', series: started('1x2 2x2 3x2 4x30'), fires: false, atMinute: 15 },
  {
    ...{
      alert: 'DermsApiErrors',
      series: { ...requests('200', '0+54x30'), ...requests('500', '0+6x30'), ...errors('500', '0+6x30') },
      fires: true,
    },
    ...{ atMinute: 12, says: '10% of the requests to the API end in an error of ours.' },
  },
  // The first ones ever, twice: counted from their first on, only the second time would be an increase.
  {
    ...{
      alert: 'DermsApiErrors',
      series: { ...requests('200', '0+6x30'), ...errors('500', '0x3 6x2 12x25') },
      fires: true,
    },
    atMinute: 10,
  },
  // A dependency that is away, and callers that are wrong.
  {
    ...{ alert: 'DermsApiErrors', fires: false, atMinute: 12 },
    series: {
      ...requests('200', '0+54x30'),
      ...requests('503', '0+60x30'),
      ...requests('404', '0+60x30'),
      ...errors('503', '0+60x30'),
    },
  },
  {
    ...{ alert: 'DermsQuarantined', series: { derms_quarantined: '0x5 1x30' }, fires: true, atMinute: 25 },
    says: 'The database is quarantined since a restore: nothing is planned or published (1).',
  },
  // Lifted after ten minutes.
  { alert: 'DermsQuarantined', series: { derms_quarantined: '0x5 1x10 0x30' }, fires: false, atMinute: 25 },
  {
    ...{ alert: 'DermsEmergencyStop', series: { derms_emergency_stop: '0x5 1x30' }, fires: true, atMinute: 10 },
    says: 'An emergency stop is in force (1): every device is sent to its safe state.',
  },
  { alert: 'DermsEmergencyStop', series: { derms_emergency_stop: '0x40' }, fires: false, atMinute: 10 },
];
