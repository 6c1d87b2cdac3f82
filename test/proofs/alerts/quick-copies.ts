import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { repositoryRoot } from '../../../local/toolchain';
import { RULES_FILE } from './rules-file';

// Copies of what is deployed, in which only times are shorter and receivers are ours. They are made from the very files, by
// rules that name what they change: everything else is as deployed, which `withoutTimes` shows.

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };
const DURATION = /\b(\d+)([smhd])\b/g;
const deployed = (path: string): string => readFileSync(join(repositoryRoot(), 'deploy', path), 'utf8');

/** `2m` a twelfth as long is `10s`; never less than a second. */
const shorter = (duration: string, times: number): string =>
  duration.replace(DURATION, (_, count: string, unit: string) =>
    String(Math.max(1, Math.round((Number(count) * (UNIT_SECONDS[unit] ?? NaN)) / times))).concat('s'),
  );

/** The rules with each `for`, `keep_firing_for`, range and offset so many times shorter. */
export const quickRules = (times: number): string =>
  readFileSync(RULES_FILE, 'utf8')
    .replace(
      /^( +(?:keep_firing_)?for: )(\w+)/gm,
      (_, head: string, duration: string) => head + shorter(duration, times),
    )
    .replace(/\[(\w+)\]/g, (range) => shorter(range, times))
    .replace(/ offset (\w+)/g, (offset) => shorter(offset, times));

/** With every time taken out, a copy and what it was made from are the same to the letter. */
export const withoutTimes = (rules: string): string =>
  rules
    .replace(/^( +(?:keep_firing_)?for: )\w+/gm, '$1')
    .replace(/\[\w+\]/g, '[]')
    .replace(/ offset \w+/g, ' offset');

interface Receiver {
  readonly name: string;
}
interface AlertmanagerConfig {
  readonly route: object;
  readonly receivers: readonly Receiver[];
  readonly inhibit_rules: readonly object[];
}

/** Routes and inhibitions as deployed, waits so many times shorter; each receiver is a path below `url`. */
export function quickAlertmanager(times: number, url: string): string {
  const config = parse(deployed('alertmanager/alertmanager.yml')) as AlertmanagerConfig;
  return stringify({
    ...config,
    route: parse(shorter(stringify(config.route), times)) as object,
    receivers: config.receivers.map(({ name }) => ({ name, webhook_configs: [{ url: `${url}/${name}` }] })),
  });
}

/** As deployed, looking each second, with the places that are written beside it. */
export function writeMonitoring(
  folder: string,
  { rules, targets, alertmanager }: { rules: string; targets: readonly Target[]; alertmanager: string | null },
): string {
  const config = parse(deployed('prometheus/prometheus.yml')) as { global: object };
  const global = { ...config.global, scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' };
  writeFileSync(join(folder, 'alerts.yml'), rules);
  writeFileSync(join(folder, 'prometheus.yml'), stringify({ ...config, global }));
  writeTargets(folder, 'derms', targets);
  writeTargets(folder, 'temporal', []);
  writeTargets(folder, 'alertmanager', alertmanager === null ? [] : [{ job: 'alertmanager', address: alertmanager }]);
  return join(folder, 'prometheus.yml');
}

export interface Target {
  readonly job: string;
  /** `host:port` */
  readonly address: string;
}

function writeTargets(folder: string, kind: string, targets: readonly Target[]): void {
  const path = join(folder, 'targets', kind);
  mkdirSync(path, { recursive: true });
  const groups = targets.map(({ job, address }) => ({ targets: [address], labels: { job } }));
  writeFileSync(join(path, 'local.json'), JSON.stringify(groups));
}
