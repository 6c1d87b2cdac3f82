import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { repositoryRoot } from '../../../local/toolchain';

export interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: { readonly summary: string; readonly runbook_url: string };
}
export type AlertRule = Required<Pick<Rule, 'alert' | 'expr' | 'labels' | 'annotations'>> & Rule;

/** What a Prometheus of ours loads. */
export const RULES_FILE = join(repositoryRoot(), 'deploy/prometheus/alerts.yml');

export interface RuleGroup {
  readonly name: string;
  readonly rules: readonly Rule[];
}

const GROUPS = (parse(readFileSync(RULES_FILE, 'utf8')) as { groups: readonly RuleGroup[] }).groups;

export const RULES: readonly Rule[] = GROUPS.flatMap((group) => group.rules);

/** The group that a rule is of, and what it reads of other rules: all of them when it reads alerts. */
export function groupsAround(rule: Rule): readonly RuleGroup[] {
  const own = GROUPS.find(({ rules }) => rules.includes(rule));
  if (own === undefined) throw new Error(`there is no such rule in ${RULES_FILE}`);
  const read = own.rules.map(({ expr }) => expr).join(' ');
  if (read.includes('ALERTS{')) return GROUPS;
  return GROUPS.filter(
    (group) => group === own || group.rules.some(({ record }) => record !== undefined && read.includes(record)),
  );
}

export const ALERTS: readonly AlertRule[] = RULES.filter((rule): rule is AlertRule => rule.alert !== undefined);
