import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../support/servers';
import { unwieldyFolder } from '../local/checkout';

/** A checkout that was built: what `npm start` finds after its set-up and build steps, under a path with spaces. */
const checkout = unwieldyFolder();
const repository = join(__dirname, '../..');
const run = promisify(execFile);

let start: ChildProcess;
let output = '';

beforeAll(async () => {
  for (const name of ['dist', 'node_modules', 'deploy', 'package.json'])
    symlinkSync(join(repository, name), join(checkout.path, name));
  mkdirSync(join(checkout.path, '.local'));
  cpSync(join(repository, '.local/toolchain.json'), join(checkout.path, '.local/toolchain.json'));
  // Preserved, so that the stack takes this checkout for its own and not the one behind the link.
  start = spawn(process.execPath, ['--preserve-symlinks', '--preserve-symlinks-main', 'dist/local/main.js'], {
    cwd: checkout.path,
  });
  start.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  start.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await eventually(() => {
    expect(output).toContain('Ctrl-C stops everything');
  }, 90_000);
}, 120_000);

afterAll(async () => {
  const ended = new Promise((resolve) => start.once('close', resolve));
  start.kill('SIGINT');
  await ended;
  checkout.remove();
}, 30_000);

/** The lines of the panel below a comment, as a person would paste them. */
const linesBelow = (comment: string): string => {
  const lines = output.split('\n').map((line) => line.trim());
  const from = lines.findIndex((line) => line.startsWith('#') && line.includes(comment)) + 1;
  return lines.slice(from, lines.indexOf('', from)).join('\n');
};

it('gives a newcomer three lines to try, and they work: health, a dispatch that is followed, its status', async () => {
  const healthy = linesBelow('is everything well');
  await eventually(async () => {
    const { stdout } = await run('bash', ['-c', healthy]);
    expect(JSON.parse(stdout)).toMatchObject({ status: 'ok' });
  }, 30_000);

  const dispatch = linesBelow('for five minutes at most');
  const status = linesBelow('is it being followed');
  const { stdout } = await run('bash', ['-c', dispatch]);
  const accepted = JSON.parse(stdout.trim().split('\n').at(-1)!) as {
    state: string;
    importLimitKw: number;
    feederId: string;
  };
  expect(accepted.state).toMatch(/^(scheduled|active)$/);

  const login = dispatch.split('\n').find((line) => line.startsWith('TOKEN='))!;
  await eventually(async () => {
    const answer = await run('bash', ['-c', `${login}\n${status}`]);
    const feeder = JSON.parse(answer.stdout) as { flow: { kw: number }; limitsInForce: { high: { kw: number } } };
    expect(feeder.limitsInForce.high.kw).toBe(accepted.importLimitKw);
    expect(feeder.flow.kw).toBeLessThanOrEqual(accepted.importLimitKw * 1.02);
  }, 60_000);
}, 150_000);

it('shows the two lines that take a verified backup within a minute, and restore it within one more', async () => {
  const lines = linesBelow('a backup, read back until it is proven').split('\n');
  expect(lines).toHaveLength(2);
  for (const line of lines) {
    const typed = line.replace('npm run derms --', `'${process.execPath}' dist/cli/main.js`);
    const began = performance.now();
    const { stdout } = await run('bash', ['-c', typed], { cwd: checkout.path });
    expect(stdout).toContain('succeeded');
    expect(performance.now() - began).toBeLessThan(60_000);
  }
  const { stdout } = await run(process.execPath, ['dist/cli/main.js', 'backups'], { cwd: checkout.path });
  expect(stdout).toMatch(/dump.*restored/);
}, 150_000);

it('writes logs of one JSON object a line, with the fields that others rely on', () => {
  for (const [name, fields] of [
    ['api', ['service', 'role', 'level', 'time', 'msg']],
    ['worker', ['service', 'role', 'level', 'time', 'msg']],
  ] as const) {
    const file = join(checkout.path, '.local/logs', `${name}.log`);
    expect(existsSync(file)).toBe(true);
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    for (const line of lines) {
      const entry = JSON.parse(line) as Record<string, unknown>;
      expect(Object.keys(entry)).toEqual(expect.arrayContaining([...fields]));
    }
    expect(lines.some((line) => line.includes('"mqttHost"'))).toBe(true);
  }
});
