import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMosquitto } from '../../../local/mosquitto';
import { startAlertmanager, startPrometheus, type MonitoringServer } from '../../../local/prometheus';
import type { TestSystem } from '../../../local/test-system';
import { apiAs, startDemo } from '../../e2e/support';
import { commandsOf } from '../../support/runbook-commands';
import { runbookPages } from '../../support/runbook-queries';
import { eventually } from '../../support/servers';
import { terminalOf } from '../../support/typed-commands';
import { quickAlertmanager, quickRules, withoutTimes, writeMonitoring } from './quick-copies';
import { RULES_FILE } from './rules-file';
import { targetsOf } from './system-targets';
import { listenForNotifications, type Notification } from './webhook';

// The whole road from a part that breaks to a person: real processes, a real Prometheus that scrapes them, a real
// Alertmanager. Rules and routes are those that are deployed, with their times divided by twelve (two minutes are ten
// seconds) so that nobody waits for a quarter of an hour; loops run each five seconds, as is right for such short times.

const TIMES = 12;
const ROOTS = ['substation-north', 'substation-south'];

const folder = mkdtempSync(join(tmpdir(), 'derms-one-page-'));
let system: TestSystem;
let webhook: Awaited<ReturnType<typeof listenForNotifications>>;
let prometheus: MonitoringServer;
let alertmanager: MonitoringServer;
const servers: { stop(): Promise<unknown> }[] = [];

beforeAll(async () => {
  webhook = await listenForNotifications();
  system = await startDemo({ env: { DEVICE_OFFLINE_SECONDS: '40', TELEMETRY_STALE_SECONDS: '15' } });
  const api = await apiAs(system, 'admin');
  for (const root of ROOTS) {
    const { status } = await api('POST', `/api/feeders/${root}/control-loop/interval`, { intervalSeconds: 5 });
    expect(status).toBeLessThan(300);
  }
  await widenLimits(api);
  const configFile = join(folder, 'alertmanager.yml');
  writeFileSync(configFile, quickAlertmanager(TIMES, webhook.url));
  alertmanager = await startAlertmanager({ configFile, folder });
  const monitoring = writeMonitoring(folder, {
    rules: quickRules(TIMES),
    targets: targetsOf(system),
    alertmanager: new URL(alertmanager.url).host,
  });
  // It says again what still fires once a minute; here that has to be more often, too.
  const args = [`--rules.alert.resend-delay=${String(60 / TIMES)}s`];
  prometheus = await startPrometheus({ configFile: monitoring, folder, args });
}, 300_000);
afterAll(async () => {
  await prometheus.stop();
  await alertmanager.stop();
  await system.stop();
  for (const server of servers) await server.stop();
  await webhook.close();
  rmSync(folder, { recursive: true });
}, 60_000);

/**
 * Batteries and chargers need the same seconds as ever to follow, and a limit that is over for ten of them would page here:
 * so nothing these devices do breaks one.
 */
async function widenLimits(api: Awaited<ReturnType<typeof apiAs>>): Promise<void> {
  const feeders = (await api('GET', '/api/feeders')).body['items'] as { feederId: string }[];
  expect(feeders.length).toBeGreaterThan(ROOTS.length);
  for (const { feederId } of feeders) {
    const { headers } = await api('GET', `/api/feeders/${feederId}`);
    const change = { importLimitKw: 10_000, exportLimitKw: 10_000 };
    const { status } = await api('PATCH', `/api/feeders/${feederId}`, change, { 'if-match': headers.get('etag')! });
    expect(status).toBe(200);
  }
}

/** Names of what fires now, of the severity. */
async function firing(severity: string): Promise<string[]> {
  const query = encodeURIComponent(`ALERTS{alertstate="firing",severity="${severity}"}`);
  const answer = await fetch(`${prometheus.url}/api/v1/query?query=${query}`, { signal: AbortSignal.timeout(5_000) });
  const { data } = (await answer.json()) as { data: { result: { metric: { alertname: string } }[] } };
  return [...new Set(data.result.map(({ metric }) => metric.alertname))].sort();
}
const pages = (): readonly Notification[] => webhook.of('pages');
const told = ({ status, alerts }: Notification): string =>
  `${status}: ${alerts.map(({ labels }) => labels['alertname'] ?? '').join()}`;

it('is tried with the very rules that are deployed, but for their times', () => {
  const [deployed, copy] = [readFileSync(RULES_FILE, 'utf8'), readFileSync(join(folder, 'alerts.yml'), 'utf8')];
  expect(withoutTimes(copy)).toBe(withoutTimes(deployed));
  expect(copy).toMatch(/DermsMqttDown\n[^\n]+\n +for: 10s\n +keep_firing_for: 10s/);
});

const OF_MONITORING = runbookPages()
  .flatMap(commandsOf)
  .filter(({ kind, text }) => kind === 'shell' && /\$(PROMETHEUS|ALERTMANAGER)\b/.test(text))
  .map(({ where, text, kind }) => [where, { text, kind }] as const);

it.each(OF_MONITORING)('what %s says to ask of Prometheus and Alertmanager is answered', async (_where, command) => {
  const terminal = await terminalOf(system, [`PROMETHEUS=${prometheus.url}`, `ALERTMANAGER=${alertmanager.url}`]);
  const { code, out } = await terminal.type(command);
  expect([command.text, code, out]).toEqual([command.text, 0, expect.stringMatching(/\S/)]);
});

it('pages once for a broker that is stopped, and says when it is back', async () => {
  await eventually(() => expect(webhook.of('watchdog').length).toBeGreaterThan(0), 60_000, 250); // the road is open
  await eventually(async () => expect(await firing('critical')).toEqual([]), 90_000, 500);
  const before = pages().length;

  const { mosquitto, brokerUser, folder: stackFolder } = system.stack;
  await mosquitto.stop();
  // It stays away until what follows from it would page as well: no telemetry comes, all devices seem offline.
  await eventually(
    async () => {
      const now = await firing('critical');
      expect(now).toEqual(
        expect.arrayContaining(['DermsManyDevicesOffline', 'DermsMqttDown', 'DermsTelemetryStopped']),
      );
    },
    180_000,
    500,
  );
  await eventually(() => expect(pages().slice(before).map(told)).toEqual(['firing: DermsMqttDown']), 30_000, 250);

  servers.push(
    await startMosquitto({ dataDir: join(stackFolder, 'mosquitto'), port: mosquitto.port, users: [brokerUser] }),
  );
  await eventually(async () => expect(await firing('critical')).toEqual([]), 120_000, 500);
  await eventually(
    () => expect(pages().slice(before).map(told)).toEqual(['firing: DermsMqttDown', 'resolved: DermsMqttDown']),
    60_000,
    250,
  );
  const [page] = pages().slice(before);
  expect(page?.alerts[0]?.annotations).toEqual({
    summary: expect.stringMatching(/^The MQTT broker answers no process \(of \d\)\.$/) as string,
    runbook_url: 'docs/runbooks/alerts/mqtt-down.md',
  });
}, 500_000);
