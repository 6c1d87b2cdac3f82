import { parse } from 'yaml';
import { kubernetesObjects, podTemplate, text } from '../support/deployed';

// What a Prometheus without its operator makes of our pods, against what the ServiceMonitor and the alerts know them by.

interface Relabelling {
  readonly source_labels: readonly string[];
  readonly regex?: string;
  readonly target_label?: string;
  readonly replacement?: string;
  readonly action?: 'keep' | 'drop';
}
const config = parse(text('deploy/prometheus/kubernetes.yml'), { merge: true }) as {
  scrape_configs: {
    honor_labels: boolean;
    kubernetes_sd_configs: { namespaces: { names: string[] } }[];
    relabel_configs: Relabelling[];
  }[];
};
const [scrape] = config.scrape_configs;

/** The labels of a target after all rules, as Prometheus applies them; null where it is dropped. */
function relabelled(target: Readonly<Record<string, string>>): Readonly<Record<string, string>> | null {
  let labels: Record<string, string> = { ...target };
  for (const { source_labels, regex = '(.*)', target_label, replacement = '$1', action } of scrape!.relabel_configs) {
    const value = source_labels.map((name) => labels[name] ?? '').join(';');
    const match = new RegExp(`^(?:${regex})$`).exec(value);
    if (action === 'keep' ? match === null : action === 'drop' && match !== null) return null;
    if (action !== undefined || match === null || target_label === undefined) continue;
    labels = { ...labels, [target_label]: replacement.replace('$1', match[1] ?? '') };
  }
  return labels;
}

const found = kubernetesObjects('staging').flatMap((each) => {
  const pod = podTemplate(each);
  return (pod?.spec.containers ?? []).flatMap(({ ports = [] }) =>
    ports.map(({ name }) => {
      const labels = relabelled({
        __meta_kubernetes_pod_phase: 'Running',
        __meta_kubernetes_pod_label_app_kubernetes_io_name: pod?.metadata.labels['app.kubernetes.io/name'] ?? '',
        __meta_kubernetes_pod_container_port_name: name,
      });
      return { of: each.metadata.name, port: name, job: labels?.['job'] };
    }),
  );
});

it('finds each port of metrics under the job that the alerts go by, and no other port', () => {
  const jobs = found.filter(({ job }) => job !== undefined).map(({ of, port, job }) => `${of} ${port}: ${job!}`);
  expect(jobs.sort()).toEqual(
    [
      'derms-api http: derms-api',
      'derms-control metrics: derms-worker',
      'derms-control role-metrics: derms-control',
      'derms-control sdk-metrics: derms-temporal-sdk',
      'derms-ingest metrics: derms-worker',
      'derms-ingest role-metrics: derms-ingest',
      'derms-jobs metrics: derms-worker',
      'derms-jobs role-metrics: derms-jobs',
      'derms-jobs sdk-metrics: derms-temporal-sdk',
      ...['active', 'standby'].flatMap((which) => [
        `mosquitto-${which} metrics: derms-worker`,
        `mosquitto-${which} role-metrics: derms-broker-agent`,
        `mosquitto-${which} sdk-metrics: derms-temporal-sdk`,
      ]),
      'temporal metrics: temporal',
    ].sort(),
  );
});

it('knows every job that alerts and their routes name, keeps the label of figures that have one, and looks into the namespace', () => {
  const rules = text('deploy/prometheus/alerts.yml') + text('deploy/alertmanager/alertmanager.yml');
  const named = [...rules.matchAll(/\bjob!?="(derms-[\w-]+)"/g)].map(([, job]) => job!);
  expect(new Set(named)).toEqual(new Set(['derms-jobs', 'derms-control', 'derms-ingest']));
  const known = new Set(found.map(({ job }) => job));
  expect(named.filter((job) => !known.has(job))).toEqual([]);
  expect(scrape!.honor_labels).toBe(true);
  expect(scrape!.kubernetes_sd_configs[0]!.namespaces.names).toEqual(['derms-staging']);
});

it('has no target in a pod that has ended', () => {
  expect(relabelled({ __meta_kubernetes_pod_phase: 'Succeeded' })).toBeNull();
});
