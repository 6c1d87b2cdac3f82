import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTestSystem, type TestSystem } from '../../../local/test-system';

// The compiled program beside real servers of its own, since they are made to hang.
const BUILT = join(__dirname, '../../../dist/api/main.js');

let system: TestSystem;
beforeAll(async () => {
  if (!existsSync(BUILT)) throw new Error('dist/ is not there: run npm run build');
  system = await startTestSystem();
  await system.start('api');
}, 90_000);
afterAll(() => system.stop(), 30_000);

interface Health {
  readonly status: string;
  readonly dependencies: Record<'database' | 'broker' | 'temporal', { readonly up: boolean }>;
}
const health = async (): Promise<Health> => {
  const response = await fetch(`${system.apiUrl}/api/health`, { signal: AbortSignal.timeout(1_000) });
  expect(response.status).toBe(200);
  return (await response.json()) as Health; // what the route declares
};
const gauges = async (): Promise<string[]> => {
  const text = await (await fetch(`${system.apiUrl}/metrics`, { signal: AbortSignal.timeout(1_000) })).text();
  return text.split('\n').filter((line) => /^derms_(db|mqtt|temporal)_up/.test(line));
};
const until = async (expected: boolean): Promise<void> => {
  const giveUpAt = performance.now() + 12_000;
  while (performance.now() < giveUpAt) {
    const { dependencies } = await health();
    if (Object.values(dependencies).every(({ up }) => up === expected)) return;
    await sleep(100);
  }
  throw new Error(`the dependencies did not all become ${expected ? 'up' : 'down'} in time`);
};
const servers = () => [system.stack.postgres, system.stack.mosquitto, system.stack.temporal];

describe('the API while its dependencies hang', () => {
  it('answers health within a second, says which, and notices that they are back', async () => {
    expect((await health()).status).toBe('ok');
    const token = await system.signIn('operator');
    for (const server of servers()) server.suspend();
    try {
      await until(false);
      expect(await gauges()).toEqual([
        'derms_db_up{role="api"} 0',
        'derms_mqtt_up{role="api"} 0',
        'derms_temporal_up{role="api"} 0',
      ]);
      const startedAt = performance.now();
      const refused = await fetch(`${system.apiUrl}/api/dispatches`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': 'k' },
        body: JSON.stringify({ feederId: 'a', endsAt: '2100-01-01T00:00:00Z', importLimitKw: 1, reason: 'r' }),
      });
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
      expect(await refused.json()).toMatchObject({ code: 'TEMPORAL_UNAVAILABLE' });
      expect(performance.now() - startedAt).toBeLessThan(3_000);
      expect((await fetch(`${system.apiUrl}/api/ready`)).status).toBe(200);
    } finally {
      for (const server of servers()) server.resume();
    }
    await until(true);
    expect(await gauges()).toContain('derms_mqtt_up{role="api"} 1');
  }, 60_000);

  it('ends within 10 s and with exit code 0 when it is told to', async () => {
    const token = await system.signIn('viewer');
    for (const server of servers()) server.suspend();
    try {
      // One request hangs on the database: that it is away is not known yet.
      const hanging = fetch(`${system.apiUrl}/api/feeders`, { headers: { authorization: `Bearer ${token}` } }).then(
        ({ status }) => status,
        () => 'hung up',
      );
      await sleep(200);
      const startedAt = performance.now();
      const api = system.running('api');
      process.kill(api.pid, 'SIGTERM');
      const { code } = await api.exited;
      expect(code).toBe(0);
      expect(performance.now() - startedAt).toBeLessThan(10_000);
      expect([503, 504, 'hung up']).toContain(await hanging);
    } finally {
      for (const server of servers()) server.resume();
    }
  }, 60_000);
});
