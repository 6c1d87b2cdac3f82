import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTimeOf } from '../../servers/process-tree';
import { makeCheckout, unwieldyFolder } from './checkout';

const folder = unwieldyFolder();
const local = (name: string): string => join(folder.path, '.local', name);
const runFile = local('run.json');

interface Recorded {
  readonly name: string;
  readonly pid: number;
}
const recorded = (): Recorded[] =>
  (JSON.parse(readFileSync(runFile, 'utf8')) as { processes: Recorded[] }).processes.filter(({ pid }) => isAlive(pid));
const pidOf = (name: string): number => recorded().find((entry) => entry.name === name)?.pid ?? 0;
const isAlive = (pid: number): boolean => startTimeOf(pid) !== undefined;

/** `node dist/local/main.js` in the checkout, as `npm start` runs it. */
const start = (args: string[] = [], env: Record<string, string> = {}) => {
  const child = spawn(process.execPath, ['dist/local/main.js', ...args], {
    cwd: folder.path,
    env: { ...process.env, ...env },
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = new Promise<{ code: number | null; output: string }>((resolve) => {
    child.once('close', (code) => {
      resolve({ code, output });
    });
  });
  const says = async (text: string | RegExp): Promise<void> => {
    for (let tries = 0; tries < 600 && !output.match(text) && child.exitCode === null; tries += 1) await sleep(25);
    expect(output).toMatch(text);
  };
  return { kill: (signal: NodeJS.Signals) => child.kill(signal), says, exited };
};
const READY = 'Ctrl-C stops everything';

beforeAll(() => {
  makeCheckout(folder.path);
});
afterAll(() => {
  folder.remove();
});

describe('npm start', () => {
  it('brings everything up, says where it is, and stops everything at Ctrl-C', async () => {
    const stack = start();
    await stack.says(READY);
    await stack.says(/API +http:\/\/127\.0\.0\.1:\d+ .*\/api\/docs/);
    await stack.says(/Temporal UI +http:\/\/127\.0\.0\.1:\d+/);
    const { users } = JSON.parse(readFileSync(local('secrets.json'), 'utf8')) as { users: Record<string, string> };
    await stack.says(`operator / ${users['operator'] ?? '?'}`);
    expect(statSync(local('secrets.json')).mode & 0o777).toBe(0o600);
    const started = recorded();
    const names = started.map(({ name }) => name).sort();
    expect(names).toEqual(['Mosquitto', 'PostgreSQL', 'Temporal', 'api', 'simulator', 'worker']);

    const began = performance.now();
    stack.kill('SIGINT');
    const { code } = await stack.exited;
    expect(code).toBe(0);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(started.filter(({ pid }) => isAlive(pid))).toEqual([]);
    expect(existsSync(runFile)).toBe(false);
  });

  it('refuses to run twice in a folder, and starts again what dies', async () => {
    const stack = start();
    await stack.says(READY);
    const second = await start().exited;
    expect(second).toMatchObject({ code: 1, output: expect.stringContaining('is running already') as string });

    process.kill(pidOf('worker'), 'SIGKILL');
    await stack.says(/worker was ended by SIGKILL; starting it again in 0\.5 s/);
    await stack.says('worker is back');
    process.kill(pidOf('PostgreSQL'), 'SIGKILL');
    await stack.says('PostgreSQL is back');
    expect(recorded()).toHaveLength(6);
    stack.kill('SIGTERM');
    await expect(stack.exited).resolves.toMatchObject({ code: 0 });
  });

  it('ends what a killed run left behind; a second Ctrl-C kills what does not stop', async () => {
    const killed = start();
    await killed.says(READY);
    const left = recorded();
    killed.kill('SIGKILL');
    await killed.exited;
    expect(left.every(({ pid }) => isAlive(pid))).toBe(true);

    const next = start([], { DERMS_TEST_STUBBORN: 'api' });
    await next.says(/last run was killed; ended what it left: simulator.*PostgreSQL/);
    await next.says(READY);
    expect(left.filter(({ pid }) => isAlive(pid))).toEqual([]);
    const started = recorded();
    next.kill('SIGINT');
    await sleep(500);
    next.kill('SIGINT');
    await expect(next.exited).resolves.toMatchObject({ code: 130 });
    await sleep(100);
    expect(started.filter(({ pid }) => isAlive(pid))).toEqual([]);
  });

  it('kills what does not stop by itself, within ten seconds', async () => {
    const stack = start([], { DERMS_TEST_STUBBORN: 'worker' });
    await stack.says(READY);
    const worker = pidOf('worker');
    const began = performance.now();
    stack.kill('SIGINT');
    await expect(stack.exited).resolves.toMatchObject({ code: 0 });
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(isAlive(worker)).toBe(false);
  });

  it('ends with a failure when a part dies five times in a minute', async () => {
    const stack = start([], { DERMS_TEST_SICK: 'simulator' });
    await stack.says(/simulator ended with exit code 7, 5 times in a minute/);
    await expect(stack.exited).resolves.toMatchObject({ code: 1 });
    expect(existsSync(runFile)).toBe(false);
  });

  it('forgets data and passwords with --fresh, keeps the toolchain, and says which ports are not the usual ones', async () => {
    const before = readFileSync(local('secrets.json'), 'utf8');
    const blocker = await new Promise<Server>((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => {
        resolve(server);
      });
    });
    const { port } = blocker.address() as { port: number };
    const stack = start(['--fresh'], { API_PORT: String(port) });
    await stack.says(new RegExp(`port ${port} is taken: the API is on \\d+`));
    await stack.says(READY);
    blocker.close();
    expect(readFileSync(local('secrets.json'), 'utf8')).not.toBe(before);
    expect(existsSync(local('toolchain.json'))).toBe(true);
    stack.kill('SIGHUP');
    await expect(stack.exited).resolves.toMatchObject({ code: 0 });
  });
});
