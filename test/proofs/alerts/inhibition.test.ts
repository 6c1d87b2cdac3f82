import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAlertmanager, type MonitoringServer } from '../../../local/prometheus';
import { repositoryRoot } from '../../../local/toolchain';
import { eventually } from '../../support/servers';
import { runTool } from './promtool';
import { quickAlertmanager } from './quick-copies';
import { ALERTS } from './rules-file';

// A real Alertmanager with the routes and inhibitions that are deployed is told of alerts as Prometheus would: which of them
// reach a person?

const CONFIG = join(repositoryRoot(), 'deploy/alertmanager/alertmanager.yml');
const folder = mkdtempSync(join(tmpdir(), 'derms-alertmanager-'));
let alertmanager: MonitoringServer;

beforeAll(async () => {
  const configFile = join(folder, 'alertmanager.yml');
  writeFileSync(configFile, quickAlertmanager(1, 'http://127.0.0.1:9'));
  alertmanager = await startAlertmanager({ configFile, folder });
});
afterAll(async () => {
  await alertmanager.stop();
  rmSync(folder, { recursive: true });
});

type Labels = Readonly<Record<string, string>>;

/** `DermsRoleDown job=derms-control` with the labels that its rule sets. */
function labelsOf(alert: string): Labels {
  const [alertname = '', ...labels] = alert.split(' ');
  const own = Object.fromEntries(labels.map((label) => label.split('=') as [string, string]));
  const rules = ALERTS.filter((each) => each.alert === alertname);
  const rule = rules.find((each) => each.labels['job'] === own['job']) ?? rules[0];
  if (rule === undefined) throw new Error(`there is no alert ${alertname}`);
  return { alertname, ...rule.labels, ...own };
}

async function post(alerts: readonly Labels[], endsAt: string): Promise<void> {
  const body = JSON.stringify(alerts.map((labels) => ({ labels, annotations: {}, endsAt })));
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${alertmanager.url}/api/v2/alerts`, { method: 'POST', headers, body });
  expect(answer.status).toBe(200);
}

interface Told {
  readonly labels: Labels;
  readonly status: { readonly state: 'active' | 'suppressed' | 'unprocessed'; readonly inhibitedBy: readonly string[] };
}
const told = async (): Promise<Told[]> => (await (await fetch(`${alertmanager.url}/api/v2/alerts`)).json()) as Told[];

it('is a configuration that Alertmanager takes', async () => {
  expect(await runTool('amtool', 'check-config', CONFIG)).toContain('SUCCESS');
});

it.each`
  alert                            | receiver
  ${'DermsMqttDown'}               | ${'pages'}
  ${'DermsControlBudgetBurnsFast'} | ${'pages'}
  ${'DermsDevicesOffline'}         | ${'tickets'}
  ${'DermsDrillUnderWay'}          | ${'nobody'}
  ${'DermsWatchdog'}               | ${'watchdog'}
`('$alert goes to $receiver', async ({ alert, receiver }: { alert: string; receiver: string }) => {
  const labels = Object.entries(labelsOf(alert)).map(([name, value]) => `${name}=${value}`);
  const said = await runTool('amtool', 'config', 'routes', 'test', `--config.file=${CONFIG}`, ...labels);
  expect(said.trim()).toBe(receiver);
});

it('names alerts that there are, and lets no lesser alert keep a page quiet', () => {
  const rules = readFileSync(CONFIG, 'utf8').split('inhibit_rules:')[1] ?? '';
  const severityOf = (name: string): string | undefined =>
    ALERTS.find(({ alert }) => alert === name)?.labels['severity'];
  const blocks = rules.split('- source_matchers:').slice(1);
  expect(blocks.length).toBeGreaterThan(15);
  for (const block of blocks) {
    const [source = '', ...targets] = [...block.matchAll(/alertname=~?"([^"]+)"/g)].flatMap(([, text = '']) => {
      const [, head = text, names = ''] = /^(\w*)\(([\w|]+)\)$/.exec(text) ?? [];
      return names === '' ? [head] : names.split('|').map((name) => head + name);
    });
    expect([source, ...targets].filter((name) => severityOf(name) === undefined)).toEqual([]);
    const silenced = targets.filter((name) => severityOf(name) === 'critical');
    if (silenced.length > 0) expect([source, severityOf(source)]).not.toEqual([source, 'warning']);
  }
});

it.each`
  together                                                                                                                    | heard
  ${['DermsDatabaseDown', 'DermsControlLoopStalled feeder=a', 'DermsManyDevicesOffline feeder=a', 'DermsTelemetryNotStored']} | ${['DermsDatabaseDown']}
  ${['DermsMqttDown', 'DermsTelemetryStopped', 'DermsControlLoopStalled feeder=a', 'DermsDevicesOffline feeder=a']}           | ${['DermsMqttDown']}
  ${['DermsTemporalDown', 'DermsControlLoopStalled feeder=a', 'DermsTicksMissed feeder=a', 'DermsControlBudgetBurnsFast']}    | ${['DermsTemporalDown']}
  ${['DermsRoleDown job=derms-control', 'DermsTargetDown job=derms-control', 'DermsControlLoopStalled feeder=a']}             | ${['DermsRoleDown']}
  ${['DermsWorkflowTasksFail', 'DermsControlLoopStalled feeder=a', 'DermsTicksMissed feeder=a']}                              | ${['DermsWorkflowTasksFail']}
  ${['DermsManyDevicesOffline feeder=a', 'DermsDevicesOffline feeder=a', 'DermsDevicesOffline feeder=b']}                     | ${['DermsDevicesOffline', 'DermsManyDevicesOffline']}
  ${['DermsDrillUnderWay job=postgres-failover-drill', 'DermsDatabaseDown', 'DermsMqttDown']}                                 | ${['DermsDrillUnderWay', 'DermsMqttDown']}
  ${['DermsDrillUnderWay job=mqtt-failover-drill', 'DermsDatabaseDown', 'DermsMqttDown', 'DermsLimitBroken feeder=a']}        | ${['DermsDatabaseDown', 'DermsDrillUnderWay', 'DermsLimitBroken']}
  ${['DermsBackupTooOld kind=dump', 'DermsJobNotFresh job=db-backup', 'DermsJobNotFresh job=mqtt-backup']}                    | ${['DermsBackupTooOld', 'DermsJobNotFresh']}
`('of $together only $heard is heard', async ({ together, heard }: { together: string[]; heard: string[] }) => {
  const alerts = together.map(labelsOf);
  await post(alerts, new Date(Date.now() + 600_000).toISOString());
  try {
    const active = await eventually(async () => {
      const now = await told();
      expect(now.filter(({ status }) => status.state === 'unprocessed')).toEqual([]);
      expect(now).toHaveLength(alerts.length);
      const names = now
        .filter(({ status }) => status.state === 'active')
        .map(({ labels }) => labels['alertname'] ?? '');
      expect([...new Set(names)].sort()).toEqual(heard);
      return names;
    }, 60_000);
    expect(active.length).toBeGreaterThan(0);
  } finally {
    await post(alerts, new Date(Date.now() - 1_000).toISOString());
    await eventually(async () => expect(await told()).toEqual([]), 60_000);
  }
});
