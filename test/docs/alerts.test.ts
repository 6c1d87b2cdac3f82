import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { dashboardFile, DASHBOARDS } from '../../dashboards';
import { alertRulesFile, prometheusRuleFile } from '../../jobs/runner/alert-rules';
import { loadJobs } from '../../jobs/runner/load-jobs';

const ROOT = join(__dirname, '../..');
const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const PARTS = ['What it means', 'First look', 'Fix', 'Verify', 'Escalate'];
const RUNBOOKS = 'docs/runbooks';

interface Alert {
  readonly alert: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: { readonly summary: string; readonly runbook_url: string };
}
interface KubernetesObject {
  readonly kind: string;
  readonly spec: unknown;
}
const { groups } = parse(text('deploy/prometheus/alerts.yml')) as { groups: { rules: Partial<Alert>[] }[] };
const alerts = groups
  .flatMap(({ rules }) => rules)
  .filter((rule): rule is Alert => rule.alert !== undefined)
  .map((rule) => [`${rule.alert} ${rule.labels['job'] ?? ''}`, rule] as const);

const headingsOf = (page: string): string[] => [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading!);
/** As GitHub makes them. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replace(/ /g, '-');

describe('deploy/prometheus/alerts.yml', () => {
  it('is what rules/ and the declarations of jobs say; `npm run docs:alerts` writes it', () => {
    const rules = readdirSync(join(ROOT, 'deploy/prometheus/rules')).sort();
    expect(text('deploy/prometheus/alerts.yml')).toBe(
      alertRulesFile(
        loadJobs(),
        rules.map((name) => text(`deploy/prometheus/rules/${name}`)),
      ),
    );
  });

  it('is what the Prometheus operator is given, too', () => {
    expect(text('deploy/k8s/overlays/prod/prometheus-rules.yaml')).toBe(
      prometheusRuleFile(text('deploy/prometheus/alerts.yml')),
    );
    const objects = parseAllDocuments(text('deploy/k8s/prod/derms.yaml')).map(
      (each) => each.toJS() as KubernetesObject,
    );
    const [rule, ...others] = objects.filter(({ kind }) => kind === 'PrometheusRule');
    expect(others).toEqual([]);
    expect(rule?.spec).toEqual(parse(text('deploy/prometheus/alerts.yml')));
  });

  it.each(alerts)(
    '%s says how bad it is and what is, and its link leads to a page and a heading that are there',
    (_, rule) => {
      expect(['critical', 'warning', 'info', 'none']).toContain(rule.labels['severity']);
      expect(rule.annotations.summary).toMatch(/\.$/);
      const [path = '', anchor] = rule.annotations.runbook_url.replace(/^\{\{.*?\}\}\//, '').split('#');
      const page = text(join(RUNBOOKS, path));
      if (anchor !== undefined) expect(headingsOf(page).map(anchorOf)).toContain(anchor);
    },
  );
});

describe('the pages that alerts lead to', () => {
  const led = new Set(
    alerts.map(([, { annotations }]) => annotations.runbook_url.replace(/^\{\{.*?\}\}\//, '').split('#')[0] ?? ''),
  );

  it.each([...led])('%s has the five parts in order', (path) => {
    const found = headingsOf(text(join(RUNBOOKS, path))).filter((heading) => PARTS.includes(heading));
    expect(found).toEqual(PARTS);
  });
});

describe('the pages of alerts', () => {
  const pages = readdirSync(join(ROOT, RUNBOOKS, 'alerts')).filter((name) => name !== 'README.md');
  const linked = new Set(
    alerts.map(([, { annotations }]) => /alerts\/([\w-]+\.md)/.exec(annotations.runbook_url)?.[1]),
  );

  it.each(pages)('%s belongs to an alert, is in the list, and has its five parts in order', (name) => {
    expect(linked).toContain(name);
    expect(text(`${RUNBOOKS}/alerts/README.md`)).toContain(`(${name})`);
    const page = text(`${RUNBOOKS}/alerts/${name}`);
    expect([...page.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)).toEqual(PARTS);
    const look = /## First look\n([\s\S]*?)\n## /.exec(page)?.[1] ?? '';
    expect(look).toMatch(/```(sh|sql|promql)\n/); // commands, not advice
  });
});

describe('the dashboards', () => {
  it.each(Object.keys(DASHBOARDS) as (keyof typeof DASHBOARDS)[])(
    '%s.json is what dashboards/ says; `npm run docs:dashboards` writes it',
    (name) => {
      expect(text(`deploy/grafana/dashboards/${name}.json`)).toBe(dashboardFile(name));
    },
  );

  it('are the only files that Grafana is given', () => {
    const files = readdirSync(join(ROOT, 'deploy/grafana/dashboards'));
    expect(files.sort()).toEqual(
      Object.keys(DASHBOARDS)
        .map((name) => `${name}.json`)
        .sort(),
    );
    expect(existsSync(join(ROOT, 'deploy/grafana/provisioning/dashboards/derms.yml'))).toBe(true);
  });

  it.each(Object.entries(DASHBOARDS))(
    '%s has no two panels in one place, and a sentence for each',
    (_name, { panels = [] }) => {
      const drawn = panels.flatMap((panel) => (panel.type === 'row' || !('gridPos' in panel) ? [] : [panel]));
      expect(drawn.length).toBeGreaterThan(10);
      const places = drawn.map(({ gridPos }) => JSON.stringify([gridPos?.x, gridPos?.y]));
      expect(new Set(places).size).toBe(places.length);
      for (const panel of drawn)
        expect([panel.title, 'description' in panel && panel.description]).toEqual([
          expect.stringMatching(/\S/),
          expect.stringMatching(/\.$/),
        ]);
    },
  );
});
