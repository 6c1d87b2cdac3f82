import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { loadJobs } from '../../jobs/runner/load-jobs';
import type { TestSystem } from '../../local/test-system';
import { commandsOf, type RunbookCommand } from '../support/runbook-commands';
import { eventually } from '../support/servers';
import { apiAs, startDemo } from './support';

// Every command on the pages of the jobs, typed as it stands there, against the running system. Those of restore.md are run in
// everything-down.test.ts; that all others at least read as commands is in test/docs/runbooks.test.ts.

const ROOT = join(__dirname, '../..');
const PAGES = [
  ...new Set([...loadJobs().values()].map(({ runbook }) => runbook)),
  'backup-key.md',
  'schedules.md',
].sort();

/** What answers something else than that all is well, on a system that archives no log and was never restored. */
const EXPECTED: Readonly<Record<string, Pick<Answer, 'code'> & { readonly says: string }>> = {
  'npm run derms -- job base-backup --follow': { code: 4, says: 'WAL archiving is off' },
  'npm run reconcile': { code: 1, says: 'not quarantined' },
  'npm run restore -- --to-time 2026-11-25T14:02:30Z --into-directory /var/lib/postgresql/recovered': {
    code: 1,
    says: 'no base backup',
  },
  // Nobody has said who may break what.
  'npm run derms -- job postgres-failover-drill --follow': { code: 4, says: 'POSTGRES_DRILL_NODES is not set' },
  'npm run derms -- job mqtt-failover-drill --follow': { code: 4, says: 'MQTT_DRILL_COMMAND is not set' },
  'npm run derms -- job worker-crash-drill --follow': { code: 4, says: 'WORKER_DRILL_COMMAND is not set' },
  [`npm run derms -- job postgres-failover-drill --input '{"scenario": "planned"}' --follow`]: {
    ...{ code: 4, says: 'POSTGRES_DRILL_NODES is not set' },
  },
};
const NOT_TYPED = [
  'npm run restore', // a page speaks of the program and not of a command
  'npm run --silent auth:hash -- --user U --role R', // asks for a password: test/unit/cli/commands.test.ts
  'npm run audit:packages', // asks a registry: test/local/audit-packages.test.ts
  'npm run drill -- postgres-failover', // a laboratory of its own: test/proofs/failover
  'npm run drill -- mqtt-failover',
  'npm run drill -- worker-crash',
];

let system: TestSystem;
let admin: Awaited<ReturnType<typeof apiAs>>;
let preamble: string;
let placeholders: Readonly<Record<string, string>>;
let folder: string;

beforeAll(async () => {
  system = await startDemo();
  admin = await apiAs(system, 'admin');
  folder = join(system.stack.folder, 'typed');
  mkdirSync(folder);
  spawnSync('git', ['init', '--quiet', folder]);
  const keys = join(folder, 'keys');
  writeFileSync(keys, system.environments.worker['BACKUP_ENCRYPTION_KEYS']!, { mode: 0o600 });
  preamble = [
    `API=${system.apiUrl}`,
    `auth='authorization: Bearer ${await system.signIn('admin')}'`,
    `BACKUP_ENCRYPTION_KEYS_FILE='${keys}'`,
    'curl() { command curl --fail-with-body "$@"; }',
    npmAsFunction(),
  ].join('\n');
  const backup = await finished('db-backup');
  await finished('mqtt-backup');
  placeholders = {
    RUN_ID: String(backup['runId']),
    BACKUP_ID: (backup['result'] as { backupId: string }).backupId,
    BACKUP_DB_USER: system.environments.worker['BACKUP_DB_USER']!,
    'job-NAME': 'job-tick-audit',
    '{scheduleId}': 'job-db-backup',
    '{deviceId}': 'elm-street-1-ev',
    'from=…&to=…': `from=${new Date(Date.now() - 3_600_000).toISOString()}&to=${new Date().toISOString()}`,
    '(PID)': '(0)',
  };
}, 180_000);
afterAll(() => system.stop(), 30_000);

it.each(PAGES)(
  'every command of %s works',
  async (page) => {
    const commands = commandsOf(page).filter(({ text, elsewhere }) => !elsewhere && !NOT_TYPED.includes(text));
    const failed: string[] = [];
    for (const command of commands) {
      await idle();
      const { code, out } = await type(command);
      const { code: wanted, says } = EXPECTED[command.text] ?? { code: 0, says: '' };
      if (code !== wanted || !out.includes(says))
        failed.push(`${command.where} ${command.text}\n  ended with ${String(code)}: ${out.slice(-500)}`);
    }
    expect(failed).toEqual([]);
  },
  180_000,
);

interface Answer {
  readonly code: number;
  readonly out: string;
}

function type({ kind, text }: RunbookCommand): Promise<Answer> {
  const typed = Object.entries(placeholders).reduce((rest, [name, value]) => rest.replaceAll(name, value), text);
  if (kind === 'sql') return ask(typed);
  return inShell(kind === 'get' ? `curl -s "$API${typed}" -H "$auth"` : typed);
}

function inShell(line: string): Promise<Answer> {
  const { worker, cli } = system.environments;
  return new Promise((resolve) => {
    const child = spawn('bash', ['-c', `${preamble}\n${line}`], {
      cwd: folder,
      env: { ...process.env, ...worker, ...cli },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.on('close', (code) => {
      resolve({ code: code ?? -1, out });
    });
  });
}

async function ask(sql: string): Promise<Answer> {
  const { host, port, superuser: user, password } = system.stack.postgres;
  const client = new Client({ host, port, user, password, database: system.environments.worker['DB_NAME'] });
  await client.connect();
  try {
    await client.query(sql);
    return { code: 0, out: '' };
  } catch (error) {
    return { code: 1, out: String(error) };
  } finally {
    await client.end();
  }
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

async function finished(jobName: string): Promise<Record<string, unknown>> {
  const { body } = await admin('POST', `/api/jobs/${jobName}/runs`, {});
  const run = await eventually(
    async () => {
      const { body: found } = await admin('GET', `/api/runs/${String(body['runId'])}`);
      expect(found['finishedAt']).not.toBeNull();
      return found;
    },
    90_000,
    250,
  );
  expect(run['state']).toBe('succeeded');
  return run;
}

/** What a command has started is over, so that the next may start it too. */
const idle = (): Promise<void> =>
  eventually(
    async () => {
      for (const state of ['waiting', 'running'])
        expect((await admin('GET', `/api/runs?state=${state}`)).body['items']).toEqual([]);
    },
    90_000,
    250,
  );
