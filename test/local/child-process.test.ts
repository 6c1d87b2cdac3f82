import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startChild, type ChildProcess } from '../../servers/child-process';
import { startTimeOf } from '../../servers/process-tree';

const folder = mkdtempSync(join(tmpdir(), 'derms-child-'));
const logFile = join(folder, 'child.log');
const log = (): string => readFileSync(logFile, 'utf8');
const shell = (script: string): Promise<ChildProcess> =>
  startChild({ name: 'shell', program: '/bin/sh', args: ['-c', script], logFile });
const until = async (true_: () => boolean): Promise<void> => {
  for (let tries = 0; !true_() && tries < 200; tries += 1) await sleep(10);
  expect(true_()).toBe(true);
};

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('a child process', () => {
  it('writes both its streams to its log and tells how it ended', async () => {
    const child = await shell('echo said; echo complained >&2; exit 3');
    await expect(child.exited).resolves.toEqual({ code: 3, signal: null });
    expect(log()).toBe('said\ncomplained\n');
  });

  it('is killed with all its children when it does not stop in time', async () => {
    const child = await shell(
      `trap 'echo no' TERM; sh -c 'echo $$ is a child; sleep 60; :' & while :; do sleep 0.05; done`,
    );
    await until(() => log().includes('is a child'));
    const grandchild = Number(/(\d+) is a child/.exec(log())?.[1]);
    await expect(child.stop({ graceMs: 200 })).resolves.toEqual({ code: null, signal: 'SIGKILL' });
    expect(log()).toContain('no\n');
    await until(() => startTimeOf(grandchild) === undefined);
  });

  it('can be stopped twice, also after it ended', async () => {
    const child = await shell('sleep 60');
    const [first, second] = await Promise.all([child.stop(), child.stop()]);
    expect(first).toEqual({ code: null, signal: 'SIGTERM' });
    expect(second).toBe(first);
    expect(child.isRunning()).toBe(false);
  });

  it('does not exist when its program does not', async () => {
    const start = startChild({ name: 'nothing', program: '/no/such/program', args: [], logFile });
    await expect(start).rejects.toThrow('nothing cannot be started: /no/such/program');
  });
});
