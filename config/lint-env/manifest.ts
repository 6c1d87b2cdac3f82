import { parseAllDocuments } from 'yaml';
import type { Finding } from './finding';
import { isSecretName, looksSecret, secretValueFault } from './value-fault';

type Node = Readonly<Record<string, unknown>>;

/** What a manifest of Kubernetes or a compose file gives away, and which secrets it names. */
export interface ManifestReading {
  readonly findings: readonly Finding[];
  /** Secrets that are kept elsewhere, each by what tells it from others: `secret default/derms`, `remote kv/derms#jwt`. */
  readonly references: ReadonlySet<string>;
}

/** @throws {Error} when the text is no YAML: what cannot be read cannot be found clean. */
export function readManifest(file: string, text: string): ManifestReading {
  const findings: Finding[] = [];
  const references = new Set<string>();
  for (const document of parseAllDocuments(text, { customTags: [], logLevel: 'silent' })) {
    const [error] = document.errors;
    if (error !== undefined) throw new Error(`${file}: ${error.message}`);
    const value = document.toJS() as unknown;
    if (!isNode(value)) continue;
    const metadata = isNode(value['metadata']) ? value['metadata'] : {};
    const namespace = typeof metadata['namespace'] === 'string' ? metadata['namespace'] : 'default';
    const kind = typeof value['kind'] === 'string' ? value['kind'] : 'file';
    const title = typeof metadata['name'] === 'string' ? `${kind} ${metadata['name']}` : kind;
    const find = (place: string, fault: string): unknown => findings.push({ file, place, fault });
    if (kind === 'Secret' && typeof metadata['name'] === 'string')
      references.add(`secret ${namespace}/${metadata['name']}`);
    walk(value, {
      path: [],
      kind,
      title,
      namespace,
      store: storeOf(value),
      find,
      refer: (name) => references.add(name),
    });
  }
  return { findings, references };
}

interface Place {
  readonly path: readonly string[];
  readonly kind: string;
  readonly title: string;
  readonly namespace: string;
  /** Of an ExternalSecret: which store it takes its keys from. */
  readonly store: string;
  readonly find: (place: string, fault: string) => void;
  readonly refer: (reference: string) => void;
}

function walk(value: unknown, place: Place): void {
  const { title, path, find } = place;
  const here = path.length === 0 ? title : `${title}, ${path.join('.')}`;
  if (typeof value === 'string') {
    if (looksSecret(value)) find(here, 'holds something that looks like a secret');
    if (isCommand(path)) checkCommand(value, here, find);
    return;
  }
  if (Array.isArray(value)) {
    value.forEach((item: unknown, index) => {
      if (typeof item === 'string' && path.at(-1) === 'environment') checkAssignment(item, here, find);
      walk(item, { ...place, path: [...path, nameOf(item) ?? String(index)] });
    });
    checkSplitOptions(value, path, here, find);
    return;
  }
  if (!isNode(value)) return;
  checkNamed(value, place, here);
  refer(value, place);
  for (const [name, inner] of Object.entries(value)) walk(inner, { ...place, path: [...path, name] });
}

/** Where values stand under their names: `env` of a container, `environment` of compose, keys of a Secret or ConfigMap. */
function checkNamed(node: Node, { kind, path, find }: Place, here: string): void {
  const { name, value } = node;
  if (typeof name === 'string' && typeof value === 'string') checkValue(name, value, here, find);
  const isMap = path.at(-1) === 'environment' || (path.length === 1 && MAPS.has(`${kind}.${path[0] ?? ''}`));
  if (!isMap) return;
  for (const [key, given] of Object.entries(node)) {
    if (typeof given !== 'string' && typeof given !== 'number') continue;
    const text = kind === 'Secret' && path[0] === 'data' ? fromBase64(String(given)) : String(given);
    checkValue(key, text, `${here}.${key}`, find);
    if (text !== String(given) && looksSecret(text)) find(`${here}.${key}`, 'holds something that looks like a secret');
  }
}
const MAPS = new Set(['Secret.data', 'Secret.stringData', 'ConfigMap.data']);

function checkValue(name: string, value: string, here: string, find: Place['find']): void {
  const fault = isSecretName(name) ? secretValueFault(value) : null;
  if (fault !== null) find(here, fault);
  if (name === 'POSTGRES_HOST_AUTH_METHOD' && value === 'trust') find(here, 'lets everybody in without a password');
}

function checkAssignment(text: string, here: string, find: Place['find']): void {
  const [, name, value = ''] = /^(\w+)=(.*)$/.exec(text) ?? [];
  if (name !== undefined) checkValue(name, value, `${here}.${name}`, find);
}

const COMMANDS = new Set(['command', 'args', 'entrypoint', 'healthcheck']);
const isCommand = (path: readonly string[]): boolean => path.some((part) => COMMANDS.has(part));
/** What a shell puts in, or where a file is. */
const isElsewhere = (value: string): boolean => /^["']?(\$\(|`|\/)/.test(value);

/** `--password=…`, `PGPASSWORD=… psql`: everybody on the machine reads command lines. */
function checkCommand(text: string, here: string, find: Place['find']): void {
  for (const [, name = '', value = ''] of text.matchAll(/(?:^|[\s;&])-{0,2}([A-Za-z][\w-]*)=("[^"]*"|'[^']*'|\S+)/g))
    if (isSecretName(name) && !isElsewhere(value) && secretValueFault(value.replaceAll(/^["']|["']$/g, '')) !== null)
      find(here, `gives ${name} on a command line`);
}

/** `["--password", "…"]` */
function checkSplitOptions(
  items: readonly unknown[],
  path: readonly string[],
  here: string,
  find: Place['find'],
): void {
  if (!isCommand(path)) return;
  items.forEach((item, index) => {
    const following = items[index + 1];
    if (typeof item !== 'string' || typeof following !== 'string' || following.startsWith('-')) return;
    const [, option] = /^--?([A-Za-z][\w-]*)$/.exec(item) ?? [];
    if (option !== undefined && isSecretName(option) && !isElsewhere(following) && secretValueFault(following) !== null)
      find(here, `gives ${option} on a command line`);
  });
}

/** Secrets by name, in all the places where Kubernetes and its operators take one. */
function refer(node: Node, { namespace, store, refer, path }: Place): void {
  const inNamespace = (name: unknown): void => {
    if (typeof name === 'string') refer(`secret ${namespace}/${name}`);
  };
  for (const field of ['secretKeyRef', 'secretRef']) if (isNode(node[field])) inNamespace(node[field]['name']);
  inNamespace(node['secretName']);
  if (path.at(-1) === 'secret' && path.includes('sources')) inNamespace(node['name']);
  for (const field of ['remoteRef', 'extract']) {
    const { key, property } = isNode(node[field]) ? node[field] : {};
    if (typeof key === 'string') refer(`remote ${store}/${key}${typeof property === 'string' ? `#${property}` : ''}`);
  }
}

function storeOf({ spec }: Node): string {
  const reference = isNode(spec) ? spec['secretStoreRef'] : undefined;
  return isNode(reference) && typeof reference['name'] === 'string' ? reference['name'] : 'default';
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value);
const nameOf = (item: unknown): string | null =>
  isNode(item) && typeof item['name'] === 'string' ? item['name'] : null;
const fromBase64 = (text: string): string => Buffer.from(text, 'base64').toString('utf8');
