import { join } from 'node:path';
import { repositoryRoot } from '../../../local/toolchain';
import { checkFiring, type AlertCase } from './firing';
import { promtool } from './promtool';

const RULES = join(repositoryRoot(), 'deploy/prometheus/floods.yml');

const device = (values: string): AlertCase['series'] => [['derms_ingest_refused_total{reason="too-many"}', values]];
const callers = (values: string): AlertCase['series'] => [['derms_http_rate_limited_total{policy="reads"}', values]];
const newcomers = (values: string): AlertCase['series'] => [
  ['derms_http_connections_ended_total{what="newcomer"}', values],
];

const CASES: readonly AlertCase[] = [
  { alert: 'DermsDeviceFloods', series: device('0+600x30'), fires: true, atMinute: 15 },
  // What came with the end of an outage, and was over at once.
  { alert: 'DermsDeviceFloods', series: device('0x5 900x30'), fires: false, atMinute: 15 },
  {
    alert: 'DermsDeviceFloods',
    series: [['derms_ingest_refused_total{reason="malformed-json"}', '0+600x30']],
    ...{ fires: false, atMinute: 15 },
  },
  { alert: 'DermsCallersTurnedAway', series: callers('0+300x30'), fires: true, atMinute: 15 },
  { alert: 'DermsCallersTurnedAway', series: callers('0+10x30'), fires: false, atMinute: 15 },
  { alert: 'DermsConnectionsFull', series: newcomers('0x5 2x30'), fires: true, atMinute: 7 },
  { alert: 'DermsConnectionsFull', series: newcomers('9x40'), fires: false, atMinute: 20 },
];

it('the alerts of floods are rules', async () => {
  expect(await promtool('check', 'rules', RULES)).toContain('SUCCESS');
});

it.each(CASES)('$alert fires: $fires', (alertCase) => checkFiring(RULES, alertCase));
