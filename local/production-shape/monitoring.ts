import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { startAlertmanager, startPrometheus } from '../prometheus';
import { repositoryRoot } from '../toolchain';
import type { Ground } from './ground';
import { partOf, type Parts } from './parts';
import type { Programs } from './programs';

export interface Monitoring {
  readonly prometheusUrl: string;
  readonly alertmanagerUrl: string;
}

interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

/** Prometheus and Alertmanager with the files that compose mounts; the targets of compose at where they lie here. */
export async function startMonitoring(ground: Ground, parts: Parts, programs: Programs): Promise<Monitoring> {
  const { onSpawn } = parts;
  const folder = join(ground.folder, 'prometheus-config');
  const root = repositoryRoot();
  const options = { folder: join(ground.folder, 'monitoring'), onSpawn };
  const alertmanager = await startAlertmanager({
    ...options,
    configFile: join(root, 'deploy/alertmanager/alertmanager.yml'),
  });
  parts.add(partOf('alertmanager', 'compose alertmanager', new URL(alertmanager.url).host, alertmanager));
  ground.placeAt('alertmanager:9093', Number(new URL(alertmanager.url).port));

  mkdirSync(folder, { recursive: true });
  for (const file of ['prometheus.yml', 'alerts.yml']) {
    cpSync(ground.path('prometheus', `/etc/prometheus/${file}`), join(folder, file));
  }
  writeTargets(ground.path('prometheus', '/etc/prometheus/targets'), join(folder, 'targets'), (target) =>
    whereTargetsLie(ground, programs, target),
  );
  const prometheus = await startPrometheus({
    ...options,
    configFile: join(folder, 'prometheus.yml'),
    args: ground.command('prometheus').filter((word) => word.startsWith('--storage.tsdb.retention')),
  });
  parts.add(partOf('prometheus', 'compose prometheus', new URL(prometheus.url).host, prometheus));
  return { prometheusUrl: prometheus.url, alertmanagerUrl: alertmanager.url };
}

function writeTargets(from: string, to: string, whereIs: (target: string) => readonly string[]): void {
  for (const file of readdirSync(from, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.yml'))) {
    const groups = parse(readFileSync(join(from, file), 'utf8')) as readonly TargetGroup[];
    const here = groups.map(({ targets, labels }) => ({
      targets: targets.flatMap(whereIs),
      ...(labels && { labels }),
    }));
    mkdirSync(join(to, file, '..'), { recursive: true });
    writeFileSync(join(to, file), stringify(here));
  }
}

/** One target of compose is one for each replica here. */
function whereTargetsLie(ground: Ground, programs: Programs, target: string): readonly string[] {
  const [service = '', port = ''] = target.split(':');
  const replicas = programs.all().filter((program) => program.service === service);
  return replicas.length > 0 ? replicas.map(({ at }) => at(Number(port))) : [ground.at(target)];
}
