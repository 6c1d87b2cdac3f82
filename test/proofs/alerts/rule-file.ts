import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { repositoryRoot } from '../../../local/toolchain';
import { promtool } from './promtool';

/** Series by name, with labels or without: values in Prometheus' notation, one each minute, of two replicas or of each by itself. */
export type Series = Readonly<Record<string, string | readonly [string, string]>>;

export interface AlertCase {
  readonly alert: string;
  readonly series: Series;
  readonly fires: boolean;
  readonly atMinute: number;
}

/** Tests of a hand-written file of rules: Prometheus reads it, every alert is tried both ways, and names a page that is there. */
export function tryRuleFile(name: string, cases: readonly AlertCase[]): void {
  const path = join(repositoryRoot(), 'deploy/prometheus', name);
  const file = parse(readFileSync(path, 'utf8')) as {
    groups: { rules: { alert: string; annotations: { runbook_url: string } }[] }[];
  };
  const rules = file.groups.flatMap((group) => group.rules);

  it(`${name} holds rules`, async () => {
    expect(await promtool('check', 'rules', path)).toContain('SUCCESS');
  });

  it.each(rules)('$alert is tried firing and quiet, and its runbook is there', ({ alert, annotations }) => {
    expect(cases.filter((each) => each.alert === alert).map(({ fires }) => fires)).toEqual(
      expect.arrayContaining([true, false]),
    );
    const [, page = 'none'] = /\/([\w-]+\.md)$/.exec(annotations.runbook_url) ?? [];
    expect(() => readFileSync(join(repositoryRoot(), 'docs/runbooks', page))).not.toThrow();
  });

  it.each(cases)('$alert fires: $fires (case $#)', async ({ alert, series, fires, atMinute }) => {
    const folder = mkdtempSync(join(tmpdir(), 'derms-alerts-'));
    const test = join(folder, 'rules.test.yml');
    try {
      writeFileSync(test, stringify(promtoolTest(path, { alert, series, fires, atMinute })));
      expect(await promtool('test', 'rules', test)).toContain('SUCCESS');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

const promtoolTest = (rules: string, { alert, series, fires, atMinute }: AlertCase) => ({
  rule_files: [rules],
  evaluation_interval: '1m',
  tests: [
    {
      interval: '1m',
      input_series: Object.entries(series).flatMap(([name, values]) =>
        [0, 1].map((replica) => ({
          series: withInstance(name, replica),
          values: typeof values === 'string' ? values : values[replica],
        })),
      ),
      promql_expr_test: [
        {
          expr: `count(ALERTS{alertname="${alert}",alertstate="firing"}) or vector(0)`,
          eval_time: `${String(atMinute)}m`,
          exp_samples: [{ labels: '{}', value: fires ? 1 : 0 }],
        },
      ],
    },
  ],
});

function withInstance(name: string, replica: number): string {
  const instance = `instance="api-${String(replica)}"`;
  return name.endsWith('}') ? name.replace(/\}$/, `,${instance}}`) : `${name}{${instance}}`;
}
