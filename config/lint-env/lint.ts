import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { envFileFindings } from './env-file';
import type { Finding } from './finding';
import { readManifest } from './manifest';

/** Folders of manifests; compose files stand at the root. */
const FOLDERS = ['deploy'];
const COMPOSE = /^(docker-)?compose([.-][\w-]+)*\.ya?ml$/;
const ENV_FILE = /^\.env(\.[\w-]+)*$/;
/** What a developer has for themselves; git ignores it. */
const OWN = '.env';

export interface LintReport {
  /** What was looked at. */
  readonly files: readonly string[];
  readonly findings: readonly Finding[];
}

/**
 * Looks for secrets, and for defaults that work, in what is committed: example settings and manifests; and for secrets that
 * staging and production have in common.
 *
 * @throws {Error} when a manifest is no YAML.
 */
export function lintEnvironment(root: string): LintReport {
  const atRoot = readdirSync(root).filter((name) => ENV_FILE.test(name) || COMPOSE.test(name));
  const below = FOLDERS.flatMap((folder) => filesBelow(root, folder));
  const files = [...atRoot, ...below].filter((file) => file !== OWN).sort();
  const named: Record<Environment, Map<string, string>> = { staging: new Map(), production: new Map() };
  const findings = files.flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    if (!/\.ya?ml$/.test(file)) return envFileFindings(file, text);
    const { findings: found, references } = readManifest(file, text);
    const environment = environmentOf(file);
    if (environment !== null) for (const reference of references) named[environment].set(reference, file);
    return found;
  });
  return { files, findings: [...findings, ...inCommon(named)] };
}

type Environment = 'staging' | 'production';

function environmentOf(file: string): Environment | null {
  if (/(^|[/.-])(staging|stage)([/.-]|$)/.test(file)) return 'staging';
  return /(^|[/.-])prod(uction)?([/.-]|$)/.test(file) ? 'production' : null;
}

/** One secret in both means that who can read staging's can be anybody in production. */
const inCommon = ({ staging, production }: Record<Environment, ReadonlyMap<string, string>>): Finding[] =>
  [...production].flatMap(([reference, file]) => {
    const other = staging.get(reference);
    return other === undefined
      ? []
      : [{ file, place: reference, fault: `is named by ${other} too: staging and production must share no secret` }];
  });

function filesBelow(root: string, folder: string): string[] {
  const top = join(root, folder);
  if (!existsSync(top)) return [];
  return readdirSync(top, { recursive: true, encoding: 'utf8' })
    .map((name) => join(top, name))
    .filter((path) => (/\.ya?ml$/.test(path) || ENV_FILE.test(path.split(sep).at(-1) ?? '')) && statSync(path).isFile())
    .map((path) => relative(root, path).replaceAll(sep, '/'));
}
