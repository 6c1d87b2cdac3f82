import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../../local/toolchain';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'derms-ci-results-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

type Tests = Record<string, 'passed' | 'failed'>;

/** Results as jest writes them; a file without tests is one that could not be run. */
function write(name: string, files: Record<string, Tests>): string {
  const path = join(folder, name);
  const testResults = Object.entries(files).map(([file, tests]) => ({
    name: join(repositoryRoot(), file),
    status: Object.keys(tests).length === 0 || Object.values(tests).includes('failed') ? 'failed' : 'passed',
    assertionResults: Object.entries(tests).map(([fullName, status]) => ({ fullName, status })),
  }));
  writeFileSync(path, JSON.stringify({ testResults }));
  return path;
}

function run(script: string, ...args: string[]): { code: number | null; out: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join('.ci', script), ...args], {
    cwd: repositoryRoot(),
    encoding: 'utf8',
    timeout: 20_000,
  });
  return { code: status, out: stdout + stderr };
}

it('what is red at first and green when run again is counted as green, and named', () => {
  const first = write('test.json', { 'a.test.ts': { one: 'passed' }, 'b.test.ts': { two: 'failed', three: 'passed' } });
  write('test.again.json', { 'b.test.ts': { two: 'passed', three: 'passed' } });
  expect(run('sum.mjs', '0', first)).toEqual({
    code: 0,
    out: 'red at first, green when run again alone: b.test.ts: two\n3 passed, 0 failed\n',
  });
});

it('what is red twice is red, and so is a file that cannot be run, a step that failed, and a run without results', () => {
  const first = write('test.json', { 'b.test.ts': { two: 'failed', three: 'failed' }, 'c.test.ts': {} });
  write('test.again.json', { 'b.test.ts': { two: 'failed', three: 'passed' }, 'c.test.ts': {} });
  const { code, out } = run('sum.mjs', '2', first, join(folder, 'none.json'));
  expect(code).toBe(1);
  expect(out).toMatch(
    /^red at first.*: b\.test\.ts: three\nred: b\.test\.ts: two\nred: c\.test\.ts\nred: no results in .*none\.json.*\n1 passed, 3 failed\n$/,
  );
  expect(run('sum.mjs', '2', write('good.json', { 'a.test.ts': { one: 'passed' } }))).toEqual({
    code: 1,
    out: '1 passed, 2 failed\n',
  });
});

it('a run that failed with no file red, or with many, is not run again', () => {
  expect(run('again.mjs', write('none.json', { 'a.test.ts': { one: 'passed' } })).code).toBe(1);
  const many = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`${String(index)}.test.ts`, {}]));
  expect(run('again.mjs', write('many.json', many))).toEqual({
    code: 1,
    out: '9 files were red: none is run again\n',
  });
});
