import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PostgresTools, Tool } from '../servers/tool';

/** A program that the set-up found. */
export interface InstalledTool extends Tool {
  readonly version: string;
}

/** What `local/setup/setup.mjs` found or installed. */
export interface Toolchain {
  readonly postgres: PostgresTools & { readonly version: string };
  readonly mosquitto: InstalledTool;
  readonly zstd: InstalledTool;
  readonly temporal: InstalledTool;
  /** Only after a set-up with `--proofs`, where it could be had. */
  readonly versitygw?: InstalledTool;
  readonly promtool?: InstalledTool;
  readonly prometheus?: InstalledTool;
  readonly alertmanager?: InstalledTool;
  readonly amtool?: InstalledTool;
  readonly oasdiff?: InstalledTool;
  readonly schemathesis?: InstalledTool;
  readonly chromium?: InstalledTool;
  readonly haproxy?: InstalledTool;
  readonly pgbouncer?: InstalledTool;
  readonly kustomize?: InstalledTool;
  readonly composego?: InstalledTool;
  readonly kubescore?: InstalledTool;
  /** A folder: `temporal-server`, `temporal-sql-tool` and their `schema/`. Only after a set-up with `--production-shape`. */
  readonly temporalServer?: InstalledTool;
  /** A folder of programs. */
  readonly pythonChecks?: InstalledTool;
}

/** State of this checkout: `<root>/.local`. Works from the sources and from `dist/`. */
export function localFolder(): string {
  return join(repositoryRoot(), '.local');
}

/** Root of the checkout: where package.json lies, whether we run from `local/` or from `dist/local/`. */
export function repositoryRoot(): string {
  const above = join(__dirname, '..');
  return above.endsWith('/dist') ? join(above, '..') : above;
}

/** Reads where the tools are; throws with what to type when the set-up did not run. */
export function readToolchain(folder = localFolder()): Toolchain {
  const file = join(folder, 'toolchain.json');
  try {
    // Written by our own set-up, which is the only one to write it.
    return JSON.parse(readFileSync(file, 'utf8')) as Toolchain;
  } catch (cause) {
    throw new Error(`${file} is not there: run \`npm start\`, \`npm test\` or \`node local/setup/setup.mjs\` first`, {
      cause,
    });
  }
}
