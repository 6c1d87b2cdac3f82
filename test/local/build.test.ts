import { execFile } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { unwieldyFolder, write } from './checkout';

const repository = join(__dirname, '..', '..');
const folder = unwieldyFolder();
const file = (...path: string[]): string => join(folder.path, ...path);

/** Runs `node local/build.mjs` in the small checkout; rejects when it fails. */
const build = (...args: string[]) =>
  promisify(execFile)(process.execPath, [file('local', 'build.mjs'), ...args], { cwd: folder.path });

beforeAll(() => {
  cpSync(join(repository, 'local', 'build.mjs'), file('local', 'build.mjs'));
  cpSync(join(repository, 'local', 'setup'), file('local', 'setup'), { recursive: true });
  for (const name of ['tsconfig.json', 'tsconfig.build.json']) cpSync(join(repository, name), file(name));
  symlinkSync(join(repository, 'node_modules'), file('node_modules'));
  write(file('package.json'), '{ "type": "commonjs" }');
  write(file('domain', 'limit.ts'), 'export const limit = 90;\n');
  write(file('domain', 'old.ts'), 'export const old = 1;\n');
  write(file('db', 'migrations', '0001_first.sql'), 'select 1;\n');
  write(file('workflows', 'index.ts'), "export { loop } from './loop';\n");
  write(
    file('workflows', 'loop.ts'),
    "import { sleep } from '@temporalio/workflow';\nexport const loop = () => sleep(1);\n",
  );
});
afterAll(() => {
  folder.remove();
});

describe('the build', () => {
  it('compiles, copies the migrations and makes the workflow bundle', async () => {
    const { stdout } = await build();
    expect(stdout).toMatch(/✓ compiled .* s\n✓ workflow bundle .* s\n/);
    expect(readFileSync(file('dist', 'domain', 'limit.js'), 'utf8')).toContain('limit = 90');
    expect(existsSync(file('dist', 'db', 'migrations', '0001_first.sql'))).toBe(true);
    expect(readFileSync(file('dist', 'workflow-bundle.js'), 'utf8')).toContain('loop');
  });

  it('does nothing, and quickly, when nothing changed', async () => {
    const before = statSync(file('dist', 'domain', 'limit.js')).mtimeMs;
    write(file('domain', 'limit.ts'), 'export const limit = 90;\n');
    const began = performance.now();
    await expect(build()).resolves.toMatchObject({ stdout: '' });
    expect(performance.now() - began).toBeLessThan(1_000);
    expect(statSync(file('dist', 'domain', 'limit.js')).mtimeMs).toBe(before);
  });

  it('is made once by two at the same time, and removes what has no source any more', async () => {
    write(file('domain', 'limit.ts'), 'export const limit = 45;\n');
    rmSync(file('domain', 'old.ts'));
    const outputs = (await Promise.all([build(), build()])).map(({ stdout }) => stdout);
    expect(outputs.filter((output) => output.includes('compiled'))).toHaveLength(1);
    expect(readFileSync(file('dist', 'domain', 'limit.js'), 'utf8')).toContain('limit = 45');
    expect(existsSync(file('dist', 'domain', 'old.js'))).toBe(false);
  });

  it('fails with the place of the error, and again until it is corrected', async () => {
    write(file('domain', 'limit.ts'), "export const limit: number = 'ninety';\n");
    const error = { code: 1, stderr: expect.stringContaining('domain/limit.ts(1,14): error TS2322') as string };
    await expect(build('--quiet')).rejects.toMatchObject(error);
    await expect(build('--quiet')).rejects.toMatchObject(error);
    write(file('domain', 'limit.ts'), 'export const limit = 60;\n');
    await expect(build('--quiet')).resolves.toMatchObject({ stdout: '', stderr: '' });
    expect(readFileSync(file('dist', 'domain', 'limit.js'), 'utf8')).toContain('limit = 60');
  });
});
