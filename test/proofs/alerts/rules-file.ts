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

export const RULES: readonly Rule[] = (
  parse(readFileSync(RULES_FILE, 'utf8')) as { groups: { rules: Rule[] }[] }
).groups.flatMap((group) => group.rules);

export const ALERTS: readonly AlertRule[] = RULES.filter((rule): rule is AlertRule => rule.alert !== undefined);
