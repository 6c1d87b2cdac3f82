import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { repositoryRoot } from '../toolchain';

export interface ComposeService {
  readonly image: string;
  readonly command?: readonly string[] | string;
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly disable?: boolean; readonly test?: readonly string[] };
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly pid?: string;
  readonly init?: boolean;
  readonly build?: { readonly target: string };
}

export interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** As it is written: variables of `.env` are not filled in. */
export const readCompose = (root = repositoryRoot()): Compose =>
  parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true }) as Compose;

/** What `ENV` says in the Dockerfile before the target that only the jobs role has: in every container of ours. */
export function imageEnvironment(root = repositoryRoot()): Readonly<Record<string, string>> {
  const [everyTarget = ''] = readFileSync(join(root, 'deploy', 'Dockerfile'), 'utf8').split(/^FROM base AS ops$/m);
  const lines = /^ENV ((?:.*\\\n)*.*)$/m.exec(everyTarget)?.[1] ?? '';
  return Object.fromEntries([...lines.matchAll(/(\w+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]));
}
