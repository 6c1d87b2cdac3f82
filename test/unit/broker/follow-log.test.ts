import { appendFileSync, mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { followLog, type LogFollower } from '../../../broker/follow-log';

const folder = mkdtempSync(join(tmpdir(), 'derms-test-follow-'));
const file = join(folder, 'log');
const lines: string[] = [];
const faults: unknown[] = [];
let follower: LogFollower;

beforeAll(() => {
  follower = followLog(file, {
    onLine: (line) => lines.push(line),
    onFault: (error) => faults.push(error),
    everyMs: 10,
    cutAtBytes: 1_000,
  });
});
afterAll(async () => {
  await follower.stop();
  rmSync(folder, { recursive: true });
});

const until = async (done: () => boolean): Promise<void> => {
  for (let look = 0; !done(); look += 1) {
    if (look > 1_000) throw new Error(`read until now: ${JSON.stringify(lines)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

it('a log is waited for, read line by line, cut when it is long, and followed when somebody else cut it', async () => {
  await until(() => faults.length === 1);
  appendFileSync(file, 'one\ntw');
  await until(() => lines.length === 1);
  appendFileSync(file, 'o\nthrée\n');
  await until(() => lines.length === 3);
  expect(lines).toEqual(['one', 'two', 'thrée']);

  appendFileSync(file, `${'x'.repeat(1_000)}\nand ha`);
  await until(() => statSync(file).size === 0);
  appendFileSync(file, 'lf\n');
  await until(() => lines.length === 5);
  expect(lines.at(-1)).toBe('and half');

  truncateSync(file, 0);
  await new Promise((resolve) => setTimeout(resolve, 100));
  appendFileSync(file, 'a\n');
  await until(() => lines.length === 6);
  expect([lines.at(-1), faults.length]).toEqual(['a', 1]);
});
