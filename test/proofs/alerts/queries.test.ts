import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { DASHBOARDS } from '../../../dashboards';
import { startPrometheus, type MonitoringServer } from '../../../local/prometheus';
import type { TestSystem } from '../../../local/test-system';
import { TASK_QUEUES } from '../../../workflows/messages';
import { startDemo } from '../../e2e/support';
import { eventually } from '../../support/servers';
import { writeMonitoring } from './quick-copies';
import { queriesOf, runbookPages } from '../../support/runbook-queries';
import { RULES, RULES_FILE } from './rules-file';
import { targetsOf } from './system-targets';

// Each expression of the alerts and of the dashboards is asked of a real Prometheus that scrapes a real system: it must be
// answered, and every series that it names must be there. A misspelt name or label would be quiet for ever.

/** Series that a healthy system of ours alone does not have, and why. */
const NOT_HERE: readonly { readonly series: RegExp; readonly why: string }[] = [
  { series: /^ALERTS.*DermsDatabaseDown/, why: 'nothing that pages fires here' },
  { series: /^derms_certificate_/, why: 'of processes that have certificates: nobody speaks TLS here' },
  { series: /^derms_broker_turned_away_total/, why: 'of an agent beside a broker, which this system has none of' },
  {
    series: /schedule="job-(postgres-failover|mqtt-failover|worker-crash)-drill"/,
    why: 'drills of failover are scheduled in staging alone',
  },
  { series: /^kube_/, why: 'kube-state-metrics: there is no Kubernetes here' },
  {
    series: /status=~"5\.\."/,
    why: 'by route a status is there with its first request; alerts go by derms_http_errors_total',
  },
];
/** Alerts that a new deployment has for good reason. */
const OF_EVERY_NEW_DEPLOYMENT = ['DermsWatchdog'];

const folder = mkdtempSync(join(tmpdir(), 'derms-queries-'));
let system: TestSystem;
let prometheus: MonitoringServer;

beforeAll(async () => {
  system = await startDemo();
  const rules = readFileSync(RULES_FILE, 'utf8');
  const configFile = writeMonitoring(folder, { rules, targets: targetsOf(system), alertmanager: null });
  prometheus = await startPrometheus({ configFile, folder });
  await failAWorkflowTask();
}, 300_000);
afterAll(async () => {
  await prometheus.stop();
  await system.stop();
  rmSync(folder, { recursive: true });
}, 60_000);

/** The SDK counts these from the first one on: one of a type that no worker knows. */
async function failAWorkflowTask(): Promise<void> {
  const { TEMPORAL_ADDRESS: address = '', TEMPORAL_NAMESPACE: namespace = '' } = system.environments.worker;
  const connection = await Connection.connect({ address });
  try {
    const client = new Client({ connection, namespace });
    const options = { workflowId: 'of-nobody', taskQueue: TASK_QUEUES.control };
    const handle = await client.workflow.start('ofNobody', options);
    await eventually(async () => {
      const { events } = await handle.fetchHistory();
      expect(JSON.stringify(events)).toContain('workflowTaskFailedEventAttributes');
    }, 60_000);
    await handle.terminate('it was started to fail');
  } finally {
    await connection.close();
  }
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data: { readonly result: readonly { readonly metric: Readonly<Record<string, string>> }[] };
}
async function ask(expr: string): Promise<Answer> {
  const url = `${prometheus.url}/api/v1/query?${new URLSearchParams({ query: expr }).toString()}`;
  return (await (await fetch(url, { signal: AbortSignal.timeout(10_000) })).json()) as Answer;
}

const ofAlerts = RULES.map(({ expr }) => expr);
/** What pages tell people to ask, and the series that their sentences name. */
const ofPages = [...new Set([...runbookPages().flatMap(queriesOf)])].map((query) =>
  query.replaceAll('FEEDER', 'substation-north').replaceAll('NAME', 'derms_db_up'),
);
const ofDashboards = Object.values(DASHBOARDS)
  .flatMap(({ panels = [] }) => panels)
  .flatMap((panel) =>
    'targets' in panel ? ((panel.targets ?? []) as unknown as readonly { readonly expr: string }[]) : [],
  )
  .map(({ expr }) => expr.replaceAll('$__rate_interval', '1m').replaceAll('$feeder', '.*'));

/** `name{matchers}` of everything that expressions ask for. */
const selectors = (expressions: readonly string[]): string[] => {
  const named = /\b((?:derms|temporal|process|nodejs|kube)[\w:]*|up|ALERTS)\b(\{[^}]*\})?/g;
  const found = expressions.flatMap((expr) =>
    [...expr.replaceAll(/"[^"{}]*"(?=[,)])(?<!=~?"[^"{}]*")/g, '""').matchAll(named)].map(([selector]) => selector),
  );
  return [...new Set(found)].sort();
};
const isHere = (selector: string): boolean => !NOT_HERE.some(({ series }) => series.test(selector));

it('asks for more than a handful', () => {
  expect(ofDashboards.length).toBeGreaterThan(60);
  expect(ofPages.length).toBeGreaterThan(60);
  expect(selectors([...ofAlerts, ...ofDashboards]).length).toBeGreaterThan(80);
});

it.each(selectors([...ofAlerts, ...ofDashboards, ...ofPages]).filter(isHere))('%s is there', async (selector) => {
  await eventually(async () => expect((await ask(`count(${selector})`)).data.result).toHaveLength(1), 45_000, 1_000);
});

it.each([...new Set([...ofAlerts, ...ofDashboards, ...ofPages])])('%s is answered', async (expr) => {
  expect(await ask(expr)).toMatchObject({ status: 'success' });
});

it('everything that a dashboard shows has a value', async () => {
  await eventually(
    async () => {
      const empty: string[] = [];
      for (const expr of new Set(ofDashboards)) {
        if (!selectors([expr]).every(isHere)) continue;
        if ((await ask(expr)).data.result.length === 0) empty.push(expr);
      }
      expect(empty).toEqual([]);
    },
    120_000,
    5_000,
  );
});

it('a healthy system calls nobody', async () => {
  await eventually(
    async () => {
      const { data } = await ask('ALERTS{alertstate="firing",severity=~"critical|none"}');
      const firing = data.result.map(({ metric }) => metric['alertname'] ?? '');
      expect(firing.filter((name) => name !== 'DermsWorkflowTasksFail')).toEqual(OF_EVERY_NEW_DEPLOYMENT);
    },
    60_000,
    1_000,
  );
});
