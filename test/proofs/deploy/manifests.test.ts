import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { TEMPORAL_SETTINGS } from '../../../config/connections';
import { loadSomeSettings } from '../../../config/load';
import { composeSecrets } from '../../../local/compose-secrets';
import {
  ENVIRONMENTS,
  kubernetesObjects,
  OURS,
  podTemplate,
  ROOT,
  text,
  type Compose,
  type KubernetesObject,
} from '../../support/deployed';
import { promtool } from '../alerts/promtool';
import { checkedBy, tool } from './checked-by';

// By other people's tools: what is checked in is what the overlays say, and every file is what its reader takes.

const folder = mkdtempSync(join(tmpdir(), 'derms-manifests-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Kinds that Kubernetes itself knows; those of cert-manager, KEDA and the Prometheus operator have schemas elsewhere. */
const OWN_KINDS = /^(v1|apps\/v1|batch\/v1|policy\/v1|networking\.k8s\.io\/v1)$/;

/** What kube-score holds against us on purpose, and why we do it all the same. */
const NOT_OURS: Readonly<Record<(typeof ENVIRONMENTS)[number], readonly string[]>> = {
  prod: [
    'container-image-pull-policy', // a version never changes; a registry that is away must not keep pods from starting
    'deployment-has-host-podantiaffinity', // topology spread says more
    'statefulset-has-host-podantiaffinity',
  ],
  staging: [
    'container-image-pull-policy',
    'deployment-has-host-podantiaffinity',
    'statefulset-has-host-podantiaffinity',
    'deployment-has-poddisruptionbudget', // one replica of each
    'statefulset-has-poddisruptionbudget',
    'deployment-replicas',
  ],
};

function ownKindsOf(name: string, objects = kubernetesObjects(name as (typeof ENVIRONMENTS)[number])): string {
  const file = join(folder, `${name}.yaml`);
  const own = objects.filter(({ apiVersion }) => OWN_KINDS.test(apiVersion));
  expect(own.length).toBeGreaterThan(20);
  writeFileSync(file, own.map((object) => JSON.stringify(object)).join('\n---\n'));
  return file;
}

it('what is checked in for Kubernetes is what base and overlays say', async () => {
  tool('kustomize');
  await checkedBy('node', join(ROOT, 'deploy/k8s/render.mjs'), '--check');
});

describe.each(ENVIRONMENTS)('%s', (environment) => {
  it('is what Kubernetes takes, and no field is misspelt', async () => {
    await checkedBy(join(tool('pythonChecks'), 'kubernetes-validate'), '--strict', ownKindsOf(environment));
  });

  it('is not misspelt unseen', async () => {
    const broken = join(folder, `${environment}-broken.yaml`);
    const deployment = kubernetesObjects(environment).find(({ kind }) => kind === 'Deployment');
    writeFileSync(broken, JSON.stringify(deployment).replace('readinessProbe', 'readynessProbe'));
    await expect(checkedBy(join(tool('pythonChecks'), 'kubernetes-validate'), '--strict', broken)).rejects.toThrow(
      'readynessProbe',
    );
  });

  it('keeps the policies of kube-score', async () => {
    const ignored = NOT_OURS[environment].flatMap((test) => ['--ignore-test', test]);
    // No limit on CPU: a control cycle that is throttled is a late cycle.
    const args = ['score', '--ignore-container-cpu-limit', '--output-format', 'ci', ...ignored];
    await checkedBy(tool('kubescore'), ...args, ownKindsOf(environment));
  });
});

describe('production against Temporal Cloud, with an API key', () => {
  let cloud: readonly KubernetesObject[];
  beforeAll(async () => {
    const inHere = (path: string): string => relative(folder, join(ROOT, 'deploy/k8s', path));
    const site = {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      resources: [inHere('overlays/prod')],
      components: [inHere('components/temporal-api-key')],
    };
    writeFileSync(join(folder, 'kustomization.yaml'), stringify(site));
    cloud = parseAllDocuments(await checkedBy(tool('kustomize'), 'build', folder)).map(
      (each) => each.toJS() as KubernetesObject,
    );
  });

  it('is what Kubernetes takes', async () => {
    const file = ownKindsOf('cloud', cloud);
    await checkedBy(join(tool('pythonChecks'), 'kubernetes-validate'), '--strict', file);
  });

  it('has the key as a file in every process that speaks to Temporal, and asks for no certificate', () => {
    const key = join(folder, 'api-key');
    writeFileSync(key, 'a key of Temporal Cloud');
    const processes = cloud.flatMap((object) => {
      const spec = podTemplate(object)?.spec;
      const own = spec?.containers.find(({ image, env = [] }) => OURS.test(image) && named(env, 'TEMPORAL_ADDRESS'));
      return spec === undefined || own === undefined ? [] : [{ name: object.metadata.name, spec, own }];
    });
    expect(processes.map(({ name }) => name).sort()).toEqual([
      'derms-api',
      'derms-control',
      'derms-ingest',
      'derms-jobs',
      expect.stringMatching(/^derms-migrate-/),
      'mosquitto-active',
      'mosquitto-standby',
    ]);
    for (const { spec, own } of processes) {
      const { env = [], volumeMounts = [] } = own;
      expect(named(env, 'TEMPORAL_API_KEY_FILE')?.value).toBe('/temporal/api-key');
      expect(volumeMounts).toContainEqual({ name: 'temporal-api-key', mountPath: '/temporal', readOnly: true });
      const volumes = (spec.volumes ?? []).map(({ name }) => name);
      expect(volumeMounts.map(({ name }) => name).filter((name) => !volumes.includes(name) && name !== 'data')).toEqual(
        [],
      );
      const given = Object.fromEntries(env.map(({ name, value = 'derms.grid.example:7233' }) => [name, value]));
      const environment = { ...given, NODE_ENV: 'production', TEMPORAL_API_KEY_FILE: key };
      const settings = loadSomeSettings(TEMPORAL_SETTINGS, environment, '');
      expect(settings.TEMPORAL_TLS_ENABLED).toBe(true);
      expect(settings.TEMPORAL_TLS_CERT_PATH).toBeUndefined();
    }
    expect(JSON.stringify(cloud)).not.toContain('derms-temporal-client');
    const [authentication] = cloud.filter(({ kind }) => kind === 'TriggerAuthentication');
    expect(authentication?.spec.secretTargetRef).toEqual([
      { parameter: 'apiKey', name: 'derms-temporal-api-key', key: 'api-key' },
    ]);
  });
});
const named = <T extends { readonly name: string }>(list: readonly T[], name: string): T | undefined =>
  list.find((each) => each.name === name);

it('the rules that the Prometheus operator is given are rules', async () => {
  const [rule] = kubernetesObjects('prod').filter(({ kind }) => kind === 'PrometheusRule');
  const file = join(folder, 'rules.yml');
  writeFileSync(file, stringify(rule?.spec));
  expect(await promtool('check', 'rules', file)).toContain('SUCCESS');
});

it('deploy/prometheus/kubernetes.yml is what Prometheus reads', async () => {
  // Debian builds its promtool without Kubernetes: the discovery is put aside, and it reads all else.
  const withoutDiscovery = text('deploy/prometheus/kubernetes.yml').replace(
    /^ {4}kubernetes_sd_configs:\n(?: {6}.*\n)+/m,
    '    static_configs: []\n',
  );
  expect(withoutDiscovery).not.toContain('kubernetes_sd');
  const file = join(folder, 'kubernetes.yml');
  writeFileSync(file, withoutDiscovery);
  expect(await promtool('check', 'config', '--syntax-only', file)).toContain('SUCCESS');
});

it('docker-compose.yml is what docker compose reads', async () => {
  const { environment } = await composeSecrets(new Date());
  // compose-go's own command does not read `.env`.
  const filled = text('docker-compose.yml').replaceAll(/\$\{(\w+):\?[^}]*\}/g, (_all, name: string) => {
    const value = environment[name];
    if (value === undefined) throw new Error(`nobody draws ${name}`);
    return `'${value.replaceAll('$', '$$$$')}'`;
  });
  const file = join(folder, 'compose.yml');
  writeFileSync(file, filled);
  const model = parse(await checkedBy(tool('composego'), '-no-path-resolution', file)) as Compose;
  expect(Object.keys(model.services)).toEqual(expect.arrayContaining(['api', 'control', 'ingest', 'jobs', 'temporal']));
  expect(model.services['api']?.environment?.['AUTH_USERS']?.replaceAll('$$', '$')).toBe(environment['AUTH_USERS']);
});

it('hadolint finds nothing in the Dockerfile', async () => {
  await checkedBy(join(tool('pythonChecks'), 'hadolint'), join(ROOT, 'deploy/Dockerfile'));
});

it.each(['ci.yml', 'nightly-backup.yml'])('%s is a workflow', async (name) => {
  const checker = join(tool('pythonChecks'), 'check-jsonschema');
  await checkedBy(checker, '--builtin-schema', 'vendor.github-workflows', join(ROOT, '.github/workflows', name));
});
