import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestSystem } from '../../local/test-system';
import { eventually } from '../support/servers';
import { startDemo } from './support';

const WITHIN_MS = 10_000;
let system: TestSystem;

beforeEach(async () => {
  system = await startDemo();
}, 180_000);
afterEach(async () => {
  for (const server of [system.stack.postgres, system.stack.mosquitto, system.stack.temporal]) server.resume();
  await system.stop();
}, 60_000);

const stopped = async (name: 'api' | 'worker' | 'simulator'): Promise<{ code: number | null; ms: number }> => {
  const startedAt = performance.now();
  const { code } = await system.running(name).stop({ graceMs: 15_000 });
  return { code, ms: performance.now() - startedAt };
};

it('ends every program with exit code 0 soon after SIGTERM', async () => {
  for (const name of ['simulator', 'worker', 'api'] as const) {
    const { code, ms } = await stopped(name);
    expect([name, code]).toEqual([name, 0]);
    expect(ms).toBeLessThan(5_000);
  }
}, 60_000);

it('ends every program with exit code 0 within ten seconds also when Postgres, broker and Temporal hang', async () => {
  for (const server of [system.stack.postgres, system.stack.mosquitto, system.stack.temporal]) server.suspend();
  for (const name of ['simulator', 'worker', 'api'] as const) {
    const { code, ms } = await stopped(name);
    expect([name, code]).toEqual([name, 0]);
    expect(ms).toBeLessThan(WITHIN_MS);
  }
}, 90_000);

it('ends every program with exit code 0 within ten seconds also while it waits at its start for what hangs', async () => {
  for (const name of ['worker', 'api'] as const) await stopped(name);
  for (const server of [system.stack.postgres, system.stack.mosquitto, system.stack.temporal]) server.suspend();
  await Promise.all((['worker', 'api'] as const).map((name) => system.begin(name)));
  await eventually(() => {
    // Each has begun, and the worker its roles.
    const log = readFileSync(join(system.stack.folder, 'worker.log'), 'utf8');
    expect(log.split('"msg":"starting"').length - 1).toBeGreaterThanOrEqual(6);
  }, 20_000);
  for (const { name, code, ms } of await Promise.all(
    (['worker', 'api'] as const).map(async (name) => ({ name, ...(await stopped(name)) })),
  )) {
    expect([name, code]).toEqual([name, 0]);
    expect(ms).toBeLessThan(WITHIN_MS);
  }
}, 90_000);
