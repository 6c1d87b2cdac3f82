import type { TestSystem } from '../../local/test-system';
import { startDemo } from './support';

const WITHIN_MS = 10_000;
let system: TestSystem;

beforeEach(async () => {
  system = await startDemo();
}, 60_000);
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
