import { execFile, execFileSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../../../local/toolchain';

// `npm run release:check` in a clone of this repository: as it is, and with one thing of each kind made wrong.

const ROOT = repositoryRoot();
const NAMES = [
  ...[
    'no uncommitted change',
    'changelog',
    'images carry the version',
    'migrations only add',
    'recorded histories replay',
  ],
  ...[
    'the API keeps its promises',
    'no secret, no weak default',
    'known weaknesses of packages',
    'list of packages (SBOM)',
  ],
];
let clone: string;

beforeAll(() => {
  clone = mkdtempSync(join(tmpdir(), 'derms-release-'));
  execFileSync('git', ['clone', '--quiet', '--shared', ROOT, clone]);
  symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
  appendFileSync(join(clone, '.git/info/exclude'), 'node_modules\n'); // .gitignore means folders
  cpSync(join(ROOT, '.local/toolchain.json'), join(clone, '.local/toolchain.json'));
  cpSync(join(ROOT, 'dist'), join(clone, 'dist'), { recursive: true });
});
afterAll(() => {
  rmSync(clone, { recursive: true });
});

interface Checked {
  readonly code: number;
  readonly out: string;
  readonly verdicts: Readonly<Record<string, string>>;
}

function check(): Promise<Checked> {
  return new Promise((resolve) => {
    execFile(
      'npm',
      ['run', '--silent', 'release:check', '--', '--or-say-so'],
      { cwd: clone, maxBuffer: 16 * 1024 * 1024 },
      (error, stdout, stderr) => {
        const out = stdout + stderr;
        const verdicts = NAMES.flatMap((name) => {
          const line = out.split('\n').find((text) => text.includes(` ${name} `));
          return line === undefined ? [] : [[name, /^(ok|FAULT|NOT CHECKED)/.exec(line)?.[1] ?? line] as const];
        });
        resolve({ code: error === null ? 0 : Number(error.code), out, verdicts: Object.fromEntries(verdicts) });
      },
    );
  });
}

it('says that this commit can be released', async () => {
  const { code, out, verdicts } = await check();
  expect([code, code === 0 ? '' : out]).toEqual([0, '']);
  expect(Object.keys(verdicts)).toEqual(NAMES);
  const { 'known weaknesses of packages': registry, ...ours } = verdicts;
  expect(['ok', 'NOT CHECKED']).toContain(registry); // up to whether a registry answers
  expect(new Set(Object.values(ours))).toEqual(new Set(['ok']));
  expect(existsSync(join(clone, 'dist/sbom.cdx.json'))).toBe(true);
}, 400_000);

it('says what is wrong, and finds all of it in one go', async () => {
  const edit = (path: string, change: (text: string) => string): void => {
    const text = readFileSync(join(clone, path), 'utf8');
    expect(change(text)).not.toBe(text);
    writeFileSync(join(clone, path), change(text));
  };
  edit('CHANGELOG.md', (text) => text.replace(/^## .+$/m, '## Unreleased'));
  edit('docker-compose.yml', (text) => text.replace(/derms\/app:[\w.]+/, 'derms/app:latest'));
  writeFileSync(join(clone, 'db/migrations/9999_takes.sql'), 'alter table feeders drop column base_load_kw;\n');
  edit('test/replay/histories/dispatch-completed.json', (text) =>
    text.replaceAll('advanceDispatch', 'anotherActivity'),
  );
  edit('docs/openapi.json', (text) => {
    const document = JSON.parse(text) as { paths: Record<string, unknown> };
    delete document.paths['/api/devices/{deviceId}'];
    return JSON.stringify(document);
  });
  appendFileSync(join(clone, '.env.example'), '\nJWT_SECRET=Zk3v9QpX7sLw2RtY8uHn4MbC6dFg1JaE5oKi0TzPqNxVrWsU\n');
  const { code, out, verdicts } = await check();
  expect(code).toBe(1);
  const ours = Object.fromEntries(
    Object.entries(verdicts).filter(([name]) => name !== 'known weaknesses of packages'), // what the registry says
  );
  // The list of packages is made from the lockfile: it agrees with it whatever that says.
  expect(ours).toEqual({
    ...Object.fromEntries(Object.keys(ours).map((name) => [name, 'FAULT'])),
    'list of packages (SBOM)': 'ok',
  });
  for (const said of [
    '9999_takes.sql:1: drops column feeders.base_load_kw',
    'test/replay/histories/dispatch-completed.json',
    'docker-compose.yml: derms/app:latest',
    '/api/devices/{deviceId}',
    'JWT_SECRET',
  ])
    expect(out).toContain(said);
}, 400_000);
