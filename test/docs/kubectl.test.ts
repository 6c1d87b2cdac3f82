import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ENVIRONMENTS, kubernetesObjects, podTemplate, ROOT, text } from '../support/deployed';

// Commands of kubectl that pages tell people to type, against the manifests: namespaces, objects, labels and keys that they
// name are there. What stands for something that only a cluster knows is in capitals.

const NAMESPACES: Readonly<Record<string, (typeof ENVIRONMENTS)[number] | undefined>> = {
  'derms-staging': 'staging',
  'derms-prod': 'prod',
};
/** What people make by hand: the first column of deploy/k8s/README.md. */
const MADE_BY_HAND = [...text('deploy/k8s/README.md').matchAll(/^\| (?:ConfigMap|Secret) _?`([\w-]+)`/gm)].map(
  ([, name]) => name!,
);
const KINDS: Readonly<Record<string, string>> = {
  configmap: 'ConfigMap',
  cronjobs: 'CronJob',
  deployment: 'Deployment',
  deployments: 'Deployment',
  job: 'Job',
  jobs: 'Job',
  pod: 'Pod',
  pods: 'Pod',
  prometheusrule: 'PrometheusRule',
  secret: 'Secret',
  servicemonitor: 'ServiceMonitor',
  statefulset: 'StatefulSet',
  statefulsets: 'StatefulSet',
};

const PAGES = ['docs/runbooks', 'docs/runbooks/alerts', 'docs', 'deploy/k8s'].flatMap((folder) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name}`),
);
const commands = PAGES.flatMap((page) =>
  [...text(page).matchAll(/(?:^|`)(kubectl [^`\n]+)/gm)].map(
    ([, command]) => [page, command!.replace(/\s+#\s.*/, '')] as const,
  ),
);

/** Sentences about kubectl in general name no object. */
const isWhole = (command: string): boolean => / -n /.test(command) || / -f /.test(command);

function faultsOf(command: string): string[] {
  const namespace = / -n (\S+)/.exec(command)?.[1];
  const file = / -f (\S+)/.exec(command)?.[1];
  const environment = NAMESPACES[namespace ?? ''] ?? ENVIRONMENTS.find((each) => file?.includes(`/${each}/`));
  if (environment === undefined) return [`no namespace of ours: ${namespace ?? 'none'}`];
  const objects = kubernetesObjects(environment);
  const is = (kind: string, name: string): boolean =>
    /^[A-Z]+$/.test(name) ||
    (['Secret', 'ConfigMap'].includes(kind) && MADE_BY_HAND.includes(name)) ||
    objects.some((each) => each.kind === kind && each.metadata.name === name);
  const labels = objects.flatMap((each) => [each.metadata.labels ?? {}, podTemplate(each)?.metadata.labels ?? {}]);
  const words = command.split(' | ')[0]!.split(/\s+/).slice(1);
  const faults = words.flatMap((word, index) => {
    const [, kind, name] = /^(deployment|statefulset|job|pod|cronjob)\/(.+)$/.exec(word) ?? [];
    if (kind !== undefined && name !== undefined) return is(KINDS[kind] ?? kind, name) ? [] : [`no ${word}`];
    if (words[index - 1] === '-l') {
      const [key = '', value = ''] = word.split('=');
      return labels.some((each) => each[key] === value) || key.startsWith('kubernetes.io/') ? [] : [`no label ${word}`];
    }
    if (words[index - 1] === '-f' && !word.startsWith('deploy/k8s/')) return [`no file ${word}`];
    return [];
  });
  const verb = words.findIndex((word) => ['get', 'describe', 'delete'].includes(word));
  if (verb === -1) return faults;
  const [kinds = '', ...rest] = words.slice(verb + 1);
  const known = kinds.split(',').map((kind) => KINDS[kind]);
  if (known.includes(undefined)) faults.push(`no kind ${kinds}`);
  const names = rest.slice(0, rest.findIndex((word) => word.startsWith('-')) >>> 0);
  return [...faults, ...names.filter((name) => !is(known[0] ?? kinds, name)).map((name) => `no ${kinds} ${name}`)];
}

it('there are commands of kubectl, and every name in them is one of the manifests', () => {
  const whole = commands.filter(([, command]) => isWhole(command));
  expect(whole.length).toBeGreaterThan(15);
  expect(whole.flatMap(([page, command]) => faultsOf(command).map((fault) => `${page}: ${command}: ${fault}`))).toEqual(
    [],
  );
});

it.each`
  command                                                                | fault
  ${'kubectl -n derms-prod rollout undo deployment/derms-controls'}      | ${'no deployment/derms-controls'}
  ${'kubectl -n derms get pods'}                                         | ${'no namespace of ours: derms'}
  ${'kubectl -n derms-prod get secret derms-database derms-data'}        | ${'no secret derms-data'}
  ${'kubectl -n derms-prod logs -l app.kubernetes.io/name=derms-worker'} | ${'no label app.kubernetes.io/name=derms-worker'}
  ${'kubectl -n derms-prod delete statefull derms-ingest'}               | ${'no kind statefull'}
`('a name that is not there is found: $command', ({ command, fault }: { command: string; fault: string }) => {
  expect(faultsOf(command)).toContain(fault);
});
