import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import type { TestSystem } from '../../local/test-system';
import { readToolchain } from '../../local/toolchain';
import type { RunbookCommand } from './runbook-commands';
import { eventually } from './servers';

const ROOT = join(__dirname, '../..');

export interface Answer {
  readonly code: number;
  readonly out: string;
}

export type Placeholders = Readonly<Record<string, string>>;

/** Somebody at a terminal of a running system, who types what a page says. */
export interface Terminal {
  /** Files that are made there go with the system. */
  readonly folder: string;
  type(command: Pick<RunbookCommand, 'kind' | 'text'>, placeholders?: Placeholders): Promise<Answer>;
}

/** `API` and `auth` are an administrator's; programs of ours are those of `dist/`; `set` are further lines for the shell. */
export async function terminalOf(system: TestSystem, set: readonly string[] = []): Promise<Terminal> {
  const folder = join(system.stack.folder, 'typed');
  mkdirSync(folder, { recursive: true });
  const { worker, cli } = system.environments;
  const { temporal } = readToolchain();
  const token = await eventually(() => system.signIn('admin'), 60_000, 500); // hashing takes its time on a loaded machine
  const preamble = [
    `PATH="${dirname(temporal.path)}:$PATH"`,
    `API=${system.apiUrl}`,
    `auth='authorization: Bearer ${token}'`,
    'curl() { command curl --fail-with-body "$@"; }',
    npmAsFunction(),
    ...set,
  ].join('\n');

  const inShell = (line: string): Promise<Answer> =>
    new Promise((resolve) => {
      const child = spawn('bash', ['-c', `${preamble}\n${line}`], {
        cwd: folder,
        env: { ...process.env, ...worker, ...cli },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let out = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => (out += chunk.toString()));
      child.on('close', (code) => {
        resolve({ code: code ?? -1, out });
      });
    });

  /** As the owner of the server; rows are printed as JSON. */
  async function inPsql(sql: string): Promise<Answer> {
    const { host, port, superuser: user, password } = system.stack.postgres;
    const client = new Client({ host, port, user, password, database: worker['DB_NAME'] });
    await client.connect();
    try {
      return { code: 0, out: JSON.stringify((await client.query(sql)).rows) };
    } catch (error) {
      return { code: 1, out: String(error) };
    } finally {
      await client.end();
    }
  }

  return {
    folder,
    type({ kind, text }, placeholders = {}) {
      const typed = Object.entries(placeholders).reduce((rest, [name, value]) => rest.replaceAll(name, value), text);
      if (kind === 'sql') return inPsql(typed);
      return inShell(kind === 'get' ? `curl -s "$API${typed}" -H "$auth"` : typed);
    },
  };
}

/** The scripts of package.json without npm, which would go into this checkout's folder; each ends in one program of ours. */
function npmAsFunction(): string {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const cases = Object.entries(scripts).flatMap(([name, script]) => {
    const program = /node (dist\/\S+\.js)$/.exec(script)?.[1];
    return program === undefined ? [] : [`${name}) '${process.execPath}' '${join(ROOT, program)}' "$@";;`];
  });
  return [
    'npm() {',
    'shift; [ "$1" = --silent ] && shift; local script=$1; shift; [ "$1" = -- ] && shift',
    `case "$script" in ${cases.join(' ')} *) echo "no script $script"; return 127;; esac`,
    '}',
  ].join('\n');
}
