import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { readCompose, type Compose } from '../../local/production-shape/compose-file';

export const ROOT = join(__dirname, '../..');
export const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** A process of ours as docker-compose.yml or a manifest starts it. */
export interface DeployedProcess {
  readonly where: string;
  readonly image: string;
  readonly command: readonly string[];
  /** Literal values; null where the value is somebody else's to give. */
  readonly env: Readonly<Record<string, string | null>>;
  readonly ports: Readonly<Record<string, number>>;
  readonly probes: readonly { readonly path: string; readonly port: string | number }[];
}

export type { Compose };
export const compose: Compose = readCompose();

export const ENVIRONMENTS = ['staging', 'prod'] as const;

/* Only what is asked of them here; the whole of their shape is checked by the schemas of Kubernetes. */
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: {
      readonly configMapKeyRef?: { readonly name: string; readonly key: string };
      readonly secretKeyRef?: { readonly name: string; readonly key: string };
    };
  }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly resources: { readonly requests: Record<string, string>; readonly limits: Record<string, string> };
  readonly securityContext: Record<string, unknown>;
  readonly [probe: `${string}Probe`]: { readonly httpGet?: { readonly path: string; readonly port: string | number } };
}

interface KeyedSource {
  readonly name?: string;
  readonly secretName?: string;
  readonly items?: readonly { readonly key: string; readonly path: string }[];
}

export interface PodTemplate {
  readonly metadata: { readonly labels: Record<string, string>; readonly annotations?: Record<string, string> };
  readonly spec: {
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly securityContext: Record<string, unknown>;
    readonly shareProcessNamespace?: boolean;
    readonly volumes?: readonly {
      readonly name: string;
      readonly secret?: KeyedSource;
      readonly configMap?: KeyedSource;
      readonly projected?: { readonly sources: readonly { secret?: KeyedSource; configMap?: KeyedSource }[] };
    }[];
    readonly [more: string]: unknown;
  };
}

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  readonly data?: Record<string, string>;
  // Objects of many kinds: what a test asks for, it knows to be there.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly spec: any;
}

export function kubernetesObjects(environment: (typeof ENVIRONMENTS)[number]): readonly KubernetesObject[] {
  return parseAllDocuments(text(`deploy/k8s/${environment}/derms.yaml`)).map((each) => each.toJS() as KubernetesObject);
}

/** The template of its pods; null for what has none. */
export function podTemplate({ kind, spec }: KubernetesObject): PodTemplate | null {
  if (kind === 'CronJob') return spec.jobTemplate.spec.template as PodTemplate;
  return ['Deployment', 'StatefulSet', 'Job'].includes(kind) ? (spec.template as PodTemplate) : null;
}

/** Every key of a ConfigMap or a Secret that a pod cannot start without, as `name/key`. */
export function keysUsedBy({ spec }: PodTemplate): readonly string[] {
  const containers = [...spec.containers, ...(spec.initContainers ?? [])];
  const ofEnv = containers
    .flatMap(({ env = [] }) => env)
    .flatMap(({ valueFrom }) => [valueFrom?.configMapKeyRef ?? valueFrom?.secretKeyRef ?? []].flat())
    .map(({ name, key }) => `${name}/${key}`);
  const ofSource = ({ name, secretName, items }: KeyedSource): string[] => {
    const source = name ?? secretName ?? '';
    return items === undefined ? [`${source}/*`] : items.map(({ key }) => `${source}/${key}`);
  };
  const ofVolumes = (spec.volumes ?? []).flatMap(({ secret, configMap, projected }) => [
    ...[secret ?? configMap ?? []].flat().flatMap(ofSource),
    ...(projected?.sources ?? []).flatMap((source) =>
      [source.secret ?? source.configMap ?? []].flat().flatMap(ofSource),
    ),
  ]);
  return [...new Set([...ofEnv, ...ofVolumes])];
}

export const OURS = /^derms\/(app|ops):/;

export function composeProcesses(): readonly DeployedProcess[] {
  return Object.entries(compose.services)
    .filter(([, { image, entrypoint }]) => OURS.test(image) && entrypoint === undefined)
    .map(([name, { image, command = ['node', 'dist/api/main.js'], environment = {}, healthcheck }]) => ({
      where: `compose ${name}`,
      image,
      command: typeof command === 'string' ? command.split(' ') : command,
      env: Object.fromEntries(
        Object.entries(environment).map(([variable, value]) => [variable, value.startsWith('${') ? null : value]),
      ),
      ports: {},
      probes: (healthcheck?.test ?? []).filter((part) => part.startsWith('http')).map(probeOf),
    }));
}

const probeOf = (url: string) => ({ path: new URL(url).pathname, port: Number(new URL(url).port) });

export function kubernetesProcesses(environment: (typeof ENVIRONMENTS)[number]): readonly DeployedProcess[] {
  return kubernetesObjects(environment).flatMap((object) =>
    (podTemplate(object)?.spec.containers ?? [])
      .filter(({ image }) => OURS.test(image))
      .map((container) => ({
        where: `${environment} ${object.metadata.name} ${container.name}`,
        image: container.image,
        command: container.command ?? [],
        env: Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value ?? null])),
        ports: Object.fromEntries((container.ports ?? []).map(({ name, containerPort }) => [name, containerPort])),
        probes: (['startupProbe', 'livenessProbe', 'readinessProbe'] as const).flatMap((probe) => {
          const get = container[probe]?.httpGet;
          return get === undefined ? [] : [get];
        }),
      })),
  );
}

export const allProcesses = [...composeProcesses(), ...ENVIRONMENTS.flatMap(kubernetesProcesses)];
