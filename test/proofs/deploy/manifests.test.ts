import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { composeSecrets } from '../../../local/compose-secrets';
import { ENVIRONMENTS, kubernetesObjects, ROOT, text, type Compose } from '../../support/deployed';
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

function ownKindsOf(environment: (typeof ENVIRONMENTS)[number]): string {
  const file = join(folder, `${environment}.yaml`);
  const own = kubernetesObjects(environment).filter(({ apiVersion }) => OWN_KINDS.test(apiVersion));
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
