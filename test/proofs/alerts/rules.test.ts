import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { AlertCase } from './alert-case';
import { access } from './cases/access';
import { audit } from './cases/audit';
import { backups } from './cases/backups';
import { control } from './cases/control';
import { floods } from './cases/floods';
import { jobs } from './cases/jobs';
import { platform } from './cases/platform';
import { slo } from './cases/slo';
import { telemetry } from './cases/telemetry';
import { temporal } from './cases/temporal';
import { promtool } from './promtool';
import { ALERTS, groupsAround, RULES_FILE, type AlertRule } from './rules-file';

// By Prometheus' own tool: the rules are read, fire when they are to, with their words, and are quiet when they are not.
// It is called once for all cases of one pace and one group of rules: all rules for each case would take minutes.

const CASES: readonly AlertCase[] = [
  ...platform,
  ...control,
  ...telemetry,
  ...backups,
  ...temporal,
  ...slo,
  ...audit,
  ...access,
  ...floods,
  ...jobs(ALERTS),
];
const RUNBOOKS = 'https://runbooks.example';
/** What promtool found wrong, by the number of the case. */
const faults = new Map<number, string>();

const jobOf = ({ labels = {} }: { readonly labels?: Readonly<Record<string, string>> }): string => labels['job'] ?? '';
const ruleOf = (wanted: AlertCase): AlertRule => {
  const named = ALERTS.filter(({ alert }) => alert === wanted.alert);
  const rule = named.length === 1 ? named[0] : named.find((each) => jobOf(each) === jobOf(wanted));
  if (rule === undefined) throw new Error(`there is no alert ${wanted.alert} ${jobOf(wanted)}`);
  return rule;
};

/** Cases of one pace that the same groups of rules answer, for one call of promtool. */
function batches(): readonly (readonly number[])[] {
  const byKind = new Map<string, number[]>();
  for (const [index, wanted] of CASES.entries()) {
    const groups = groupsAround(ruleOf(wanted)).map(({ name }) => name);
    const kind = `${groups.join()} ${String(wanted.everyMinutes ?? 1)}`;
    byKind.set(kind, [...(byKind.get(kind) ?? []), index]);
  }
  return [...byKind.values()];
}

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'derms-alerts-'));
  const waiting = [...batches().entries()];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [number, cases] = next;
      const [first] = cases.map((index) => CASES[index]!) as [AlertCase, ...AlertCase[]];
      const [rules, file] = ['rules', 'test'].map((name) => join(folder, `${String(number)}.${name}.yml`)) as [
        string,
        string,
      ];
      writeFileSync(rules, stringify({ groups: groupsAround(ruleOf(first)) }));
      const tests = cases.map((index) => promtoolTest(CASES[index]!, index));
      writeFileSync(
        file,
        stringify({ rule_files: [rules], evaluation_interval: `${String(first.everyMinutes ?? 1)}m`, tests }),
      );
      await promtool('test', 'rules', file).catch((error: unknown) => {
        noteFaults(error instanceof Error ? error.message : String(error));
      });
    }
  };
  try {
    await Promise.all([work(), work()]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function promtoolTest(wanted: AlertCase, index: number): object {
  const { alert, series, fires, atMinute, everyMinutes = 1, labels = {}, says } = wanted;
  const rule = ruleOf(wanted);
  const eval_time = `${String(atMinute)}m`;
  const expected = {
    exp_labels: { ...rule.labels, ...labels },
    exp_annotations: { summary: says, runbook_url: rule.annotations.runbook_url.replace(/\{\{.*?\}\}/, RUNBOOKS) },
  };
  // Of a failed question only the question is told: it carries the number of its case.
  const question = `count(ALERTS{alertname="${alert}",alertstate="firing"}) > bool 0 or vector(0) * ${String(index)}`;
  return {
    name: `case-${String(index)}.`,
    interval: `${String(everyMinutes)}m`,
    external_labels: { runbooks: RUNBOOKS },
    input_series: Object.entries(series).flatMap(([name, values]) => inputSeries(name, values)),
    ...(fires && says === undefined
      ? { promql_expr_test: [{ expr: question, eval_time, exp_samples: [{ labels: '{}', value: 1 }] }] }
      : { alert_rule_test: [{ eval_time, alertname: alert, exp_alerts: fires ? [expected] : [] }] }),
  };
}

function inputSeries(name: string, values: string | readonly [string, string]): readonly object[] {
  if (/[{,]instance="/.test(name)) return [{ series: name, values }];
  return [0, 1].map((replica) => {
    const instance = `instance="api-${String(replica)}"`;
    return {
      series: name.endsWith('}') ? name.replace(/\}$/, `,${instance}}`) : `${name}{${instance}}`,
      values: typeof values === 'string' ? values : values[replica],
    };
  });
}

/** @throws what promtool says when that is not about single cases: a series that it cannot read, for instance. */
function noteFaults(said: string): void {
  const parts = said.split(/(?=name: case-|expr: ")/).slice(1);
  for (const part of parts.length > 0 ? parts : [said]) {
    const [, byName, byQuestion] = /name: case-(\d+)\.|vector\(0\) \* (\d+)/.exec(part) ?? [];
    const index = byName ?? byQuestion;
    if (index === undefined) throw new Error(said);
    faults.set(Number(index), `${faults.get(Number(index)) ?? ''}${part}`);
  }
}

it('the rules are rules', async () => {
  expect(await promtool('check', 'rules', RULES_FILE)).toContain('SUCCESS');
});

describe('each alert', () => {
  it.each(ALERTS.map((rule) => [`${rule.alert} ${jobOf(rule)}`, rule] as const))(
    'is tried firing and quiet, and its words are read: %s',
    (_name, rule) => {
      const own = CASES.filter((each) => sameRule(each, rule));
      expect(own.filter(({ fires, says }) => fires && says !== undefined).length).toBeGreaterThan(0);
      if (rule.expr !== 'vector(1)') expect(own.filter(({ fires }) => !fires).length).toBeGreaterThan(0);
    },
  );
});
const sameRule = (each: AlertCase, rule: AlertRule): boolean =>
  each.alert === rule.alert && jobOf(ruleOf(each)) === jobOf(rule);

it.each(CASES.map((each, index) => [each.alert, each.fires, jobOf(each), JSON.stringify(each.series), index] as const))(
  '%s fires: %s %s %s',
  (_alert, _fires, _job, _series, index) => {
    expect(faults.get(index)).toBeUndefined();
  },
);
