import { ENVIRONMENTS, keysUsedBy, kubernetesObjects, podTemplate, text, type Container } from '../support/deployed';

// What the manifests promise beyond their schemas: policies, replicas, references, room.

const all = Object.fromEntries(ENVIRONMENTS.map((name) => [name, kubernetesObjects(name)] as const));
const objects = (environment: (typeof ENVIRONMENTS)[number], ...kinds: string[]) =>
  (all[environment] ?? []).filter(({ kind }) => kinds.includes(kind));
const templates = (environment: (typeof ENVIRONMENTS)[number]) =>
  (all[environment] ?? []).flatMap((object) => {
    const template = podTemplate(object);
    return template === null ? [] : [{ object, template }];
  });
const matches = (labels: Record<string, string>, { matchLabels = {}, matchExpressions = [] }: Selector): boolean =>
  Object.entries(matchLabels).every(([name, value]) => labels[name] === value) &&
  matchExpressions.every(({ key, values }) => values.includes(labels[key] ?? ''));
interface Selector {
  readonly matchLabels?: Record<string, string>;
  readonly matchExpressions?: readonly { readonly key: string; readonly values: readonly string[] }[];
}

interface Rule {
  readonly from?: readonly { readonly podSelector?: Selector }[];
  readonly to?: readonly { readonly podSelector?: Selector }[];
  readonly ports?: readonly { readonly port: number }[];
}

interface PolicySpec {
  readonly podSelector: Selector;
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
}

/** Objects and keys of the table in deploy/k8s/README.md; `made`: what staging makes itself. */
const table = [...text('deploy/k8s/README.md').matchAll(/^\| (ConfigMap|Secret) (_?)`([\w-]+)`_? +\| (.*) \|$/gm)].map(
  ([, , mark, name, keys]) => ({
    name: name!,
    made: mark === '_',
    keys: [...keys!.matchAll(/`([\w.-]+)`/g)].map(([, key]) => key!),
  }),
);

describe.each(ENVIRONMENTS)('%s', (environment) => {
  it('is made of references that the README names, or that are in it', () => {
    const here = new Set([
      ...objects(environment, 'ConfigMap').map(({ metadata }) => metadata.name),
      ...objects(environment, 'Certificate').map(({ spec }) => spec.secretName as string),
    ]);
    const used = [...new Set(templates(environment).flatMap(({ template }) => keysUsedBy(template)))];
    expect(used.length).toBeGreaterThan(15);
    const missing = used.filter((reference) => {
      const [name = '', key = ''] = reference.split('/');
      return !here.has(name) && !table.some((row) => row.name === name && row.keys.includes(key));
    });
    expect(missing).toEqual([]);
  });

  it('holds no secret', () => {
    expect(objects(environment, 'Secret')).toEqual([]);
  });

  it('lets no pod have more rights than the restricted standard', () => {
    for (const { object, template } of templates(environment)) {
      const { securityContext: pod, containers, initContainers = [] } = template.spec;
      expect([object.metadata.name, pod]).toEqual([
        object.metadata.name,
        expect.objectContaining({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } }),
      ]);
      for (const { name, securityContext } of [...containers, ...initContainers]) {
        expect([name, securityContext]).toEqual([
          name,
          expect.objectContaining({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }),
        ]);
        if (name !== 'temporal-ui') expect(securityContext['readOnlyRootFilesystem']).toBe(true);
      }
    }
    const [namespace] = objects(environment, 'Namespace');
    expect(namespace?.metadata.labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
  });

  it('denies what is not allowed, and every rule and service means pods that there are', () => {
    const policies = objects(environment, 'NetworkPolicy');
    const [deny] = policies.filter(({ metadata }) => metadata.name === 'default-deny');
    expect(deny?.spec).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
    const pods = templates(environment).map(({ template }) => template.metadata.labels);
    const nobody = (selector: Selector): boolean => !pods.some((labels) => matches(labels, selector));
    const selectors = policies.flatMap(({ metadata, spec }) => {
      const peers = [...(spec.ingress ?? []), ...(spec.egress ?? [])].flatMap(
        (rule: { from?: object[]; to?: object[] }) => [...(rule.from ?? []), ...(rule.to ?? [])],
      ) as { podSelector?: Selector; namespaceSelector?: Selector }[];
      const inside = peers.flatMap((peer) =>
        peer.podSelector === undefined || peer.namespaceSelector !== undefined ? [] : [peer.podSelector],
      );
      return [spec.podSelector as Selector, ...inside].map((selector) => ({ name: metadata.name, selector }));
    });
    const empty = selectors.filter(({ selector }) => nobody(selector)).map(({ name }) => name);
    expect(empty).toEqual(['acme-solver']); // pods of cert-manager
    const services = objects(environment, 'Service').filter(({ spec }) => nobody({ matchLabels: spec.selector }));
    expect(services).toEqual([]);
  });

  it('lets a drill read the metrics that it judges by, from both ends', () => {
    const jobs = templates(environment).find(({ object }) => object.metadata.name === 'derms-jobs')!.template;
    const url = new URL(jobs.spec.containers[0]!.env!.find(({ name }) => name === 'DRILL_METRICS_URL')!.value!);
    const [service] = objects(environment, 'Service').filter(({ metadata }) => metadata.name === url.hostname);
    expect([service?.spec.ports[0].port, url.pathname]).toEqual([Number(url.port), '/metrics']);
    const api = templates(environment).find(({ object }) => object.metadata.name === 'derms-api')!.template;
    const policies = objects(environment, 'NetworkPolicy').map(({ spec }) => spec as PolicySpec);
    const allows = (way: 'ingress' | 'egress', from: Record<string, string>, to: Record<string, string>): boolean =>
      policies.some(
        ({ podSelector, [way]: rules = [] }) =>
          matches(way === 'ingress' ? to : from, podSelector) &&
          rules.some(
            ({ from: sources, to: targets, ports = [] }) =>
              ports.some(({ port }) => port === Number(url.port)) &&
              (sources ?? targets ?? []).some(
                (peer) => peer.podSelector !== undefined && matches(way === 'ingress' ? from : to, peer.podSelector),
              ),
          ),
      );
    const [from, to] = [jobs.metadata.labels, api.metadata.labels];
    expect([allows('egress', from, to), allows('ingress', from, to)]).toEqual([true, true]);
  });

  it('names every process in its log labels', () => {
    for (const { object, template } of templates(environment))
      expect([object.metadata.name, template.metadata.labels['derms/logs']]).toEqual([
        object.metadata.name,
        expect.stringMatching(/^(json|text|json-temporal)$/),
      ]);
  });

  it('lets the agent of a broker see its process, as its user', () => {
    for (const { object, template } of templates(environment)) {
      if (!object.metadata.name.startsWith('mosquitto-')) continue;
      expect(template.spec.shareProcessNamespace).toBe(true);
      const users = template.spec.containers.map(({ securityContext }) => securityContext['runAsUser']);
      expect(users).toEqual([10002, 10002]);
    }
  });

  it('asks for the memory that was measured, and leaves as much again', () => {
    const measured =
      /RSS in MB at minutes 0, 2, 5 and 10: (.*?);? Mosquitto/s.exec(text('docs/benchmarks.md'))?.[1] ?? '';
    const mib = (quantity: string): number => Number.parseInt(quantity) * (quantity.endsWith('Gi') ? 1024 : 1);
    for (const role of ['api', 'control', 'jobs', 'ingest']) {
      const figures = new RegExp(`${role} ([\\d,\\s]+)`).exec(measured)?.[1]?.match(/\d+/g)?.map(Number) ?? [];
      const most = Math.max(...figures);
      expect(most).toBeGreaterThan(80);
      const found = templates(environment).find(({ object }) => object.metadata.name === `derms-${role}`);
      const { requests, limits } = (found?.template.spec.containers[0] as Container).resources;
      expect([role, mib(requests['memory']!) >= most, mib(limits['memory']!) >= 2 * most]).toEqual([role, true, true]);
    }
  });
});

describe('production', () => {
  it('has two of every role and a budget for each; jobs come and go with what there is to do', () => {
    const replicas = Object.fromEntries(
      objects('prod', 'Deployment', 'StatefulSet').map(({ metadata, spec }) => [metadata.name, spec.replicas]),
    );
    expect(replicas).toEqual({
      'derms-api': 2,
      'derms-control': 2,
      'derms-ingest': 2,
      'derms-jobs': undefined,
      'mosquitto-active': 1,
      'mosquitto-standby': 1,
    });
    expect(
      objects('prod', 'PodDisruptionBudget')
        .map(({ metadata }) => metadata.name)
        .sort(),
    ).toEqual(['derms-api', 'derms-control', 'derms-ingest', 'derms-jobs', 'mosquitto'].sort());
    const [scaled] = objects('prod', 'ScaledObject');
    expect(scaled?.spec).toMatchObject({ scaleTargetRef: { name: 'derms-jobs' }, minReplicaCount: 0 });
    expect(scaled?.spec.triggers[0]).toMatchObject({
      type: 'temporal',
      metadata: {
        taskQueue: 'jobs',
        endpointFromEnv: 'TEMPORAL_ADDRESS',
        namespaceFromEnv: 'TEMPORAL_NAMESPACE',
        includeRunningWorkflowCount: 'true',
      },
    });
  });

  it('spreads what there are two of', () => {
    for (const { object, template } of templates('prod')) {
      if (!['Deployment', 'StatefulSet'].includes(object.kind)) continue;
      const spread = template.spec['topologySpreadConstraints'] as { labelSelector: Selector }[];
      expect(spread).toHaveLength(2);
      for (const { labelSelector } of spread) expect(matches(template.metadata.labels, labelSelector)).toBe(true);
    }
  });
});

it('the dashboard shows restarts of every container of ours', () => {
  const shown = /kube_pod_container_status_restarts_total\{container=~\\"([\w|-]+)\\"\}/.exec(
    text('deploy/grafana/dashboards/sre.json'),
  );
  const containers = templates('prod')
    .filter(({ object }) => ['Deployment', 'StatefulSet'].includes(object.kind))
    .flatMap(({ template }) => template.spec.containers.map(({ name }) => name));
  expect(shown?.[1]?.split('|').sort()).toEqual([...new Set(containers)].sort());
});

it('staging has one of each', () => {
  for (const { spec } of objects('staging', 'Deployment', 'StatefulSet')) expect(spec.replicas ?? 1).toBe(1);
});
