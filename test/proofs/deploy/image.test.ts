import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestSystem, type TestSystem } from '../../../local/test-system';
import { apiAs } from '../../e2e/support';
import { ROOT, text } from '../../support/deployed';

// What the Dockerfile does, without a container engine: built from what .dockerignore lets through and nothing else, put
// together by the same script, and run with real servers from a folder that has no other packages.

const folder = mkdtempSync(join(tmpdir(), 'derms-image-'));
const source = join(folder, 'source');
const image = join(folder, 'image');
let system: TestSystem;
let before: readonly string[] = [];

const filesOfImage = (): string[] => readdirSync(image, { recursive: true, encoding: 'utf8' }).sort();

beforeAll(async () => {
  const letThrough = text('.dockerignore')
    .split('\n')
    .filter((line) => line.startsWith('!'));
  for (const path of letThrough.map((line) => line.slice(1)))
    cpSync(join(ROOT, path), join(source, path), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(source, 'node_modules')); // what `npm ci` makes there
  const run = (...args: string[]): unknown => execFileSync('node', args, { cwd: source, stdio: 'pipe' });
  run('local/build.mjs', '--force');
  run('deploy/assemble.mjs', image);
  before = filesOfImage();
  system = await startTestSystem({ dist: join(image, 'dist') });
}, 900_000);

afterAll(async () => {
  await system.stop();
  rmSync(folder, { recursive: true });
}, 60_000);

it('holds what runs, and nothing of development', () => {
  const { devDependencies } = JSON.parse(text('package.json')) as { devDependencies: Record<string, string> };
  const { packages } = JSON.parse(text('package-lock.json')) as { packages: Record<string, { dev?: boolean }> };
  const development = Object.keys(devDependencies).filter((name) => packages[`node_modules/${name}`]?.dev === true);
  expect(development).toContain('jest');
  expect(development.filter((name) => existsSync(join(image, 'node_modules', name)))).toEqual([]);
  expect(readdirSync(join(image, 'node_modules/@temporalio/core-bridge/releases'))).toHaveLength(1);
  expect(
    ['dist/bench', 'dist/local', 'test', 'docs', '.npmrc'].filter((name) => existsSync(join(image, name))),
  ).toEqual([]);
});

it('is small: less than 260 MB beside the base image', () => {
  const megabytes = Number(execFileSync('du', ['-sm', image], { encoding: 'utf8' }).split('\t')[0]);
  expect(megabytes).toBeLessThan(260);
});

it('runs the whole system, says whether a container is ready, and takes the nightly backup', async () => {
  await system.start('api');
  await system.start('worker');
  const script = (name: string, env: Readonly<Record<string, string>>, ...args: string[]) =>
    spawnSync('node', [join(image, 'deploy', name), ...args], {
      env: { PATH: process.env['PATH'], ...env },
      encoding: 'utf8',
      cwd: tmpdir(),
    });
  const health = (env: Readonly<Record<string, string>>): number | null => script('health.mjs', env).status;
  const { api, worker } = system.environments;
  expect(health({ API_PORT: api['API_PORT']! })).toBe(0);
  const roles = { WORKER_ROLES: worker['WORKER_ROLES']!, METRICS_PORT: worker['METRICS_PORT']! };
  expect(health(roles)).toBe(0);
  expect(health({ ...roles, METRICS_PORT: '1' })).toBe(1);

  const admin = await apiAs(system, 'admin');
  const tokenWith = async (scopes: readonly string[]): Promise<string> => {
    const { body } = await admin('POST', '/api/auth/machine-tokens', { name: 'nightly', scopes, purpose: 'test' });
    return String(body['token']);
  };
  const scopes = ['jobs:run:db-backup', 'read:runs', 'read:backups'];
  const nightly = async (granted: readonly string[]) =>
    script('nightly-backup.mjs', { DERMS_API_URL: system.apiUrl, DERMS_TOKEN: await tokenWith(granted) }, '3');

  const done = await nightly(scopes);
  expect([done.stderr, done.status]).toEqual(['', 0]);
  expect(done.stdout).toMatch(/backup [\da-f-]{36} is verified/);

  const refused = await nightly(['read:runs', 'read:backups']);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain('NOT BACKED UP: POST /api/jobs/db-backup/runs is refused with 403');

  const silent = script('nightly-backup.mjs', { DERMS_API_URL: 'http://127.0.0.1:1', DERMS_TOKEN: 'any' }, '0.1');
  expect([silent.status, silent.stderr]).toEqual([1, expect.stringContaining('gave up after 0.1 minutes')]);
  expect(script('nightly-backup.mjs', {}).stderr).toContain(
    'not given: DERMS_API_URL, DERMS_TOKEN or DERMS_TOKEN_FILE',
  );
}, 300_000);

it('was not written to', () => {
  expect(filesOfImage()).toEqual(before);
});
