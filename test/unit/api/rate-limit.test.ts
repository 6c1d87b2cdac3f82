import { createApiMetrics } from '../../../api/metrics';
import { createRateLimiter, type RateLimits } from '../../../api/rate-limit';
import { Registry } from '../../../observability/metrics';
import { startApp, type AppUnderTest } from './app-under-test';

const { rateLimited: refused } = createApiMetrics(new Registry());
const warnings: object[] = [];
const log = { warn: (details: object) => warnings.push(details) };
const limiterOf = (limits: Partial<RateLimits>) =>
  createRateLimiter({ reads: 2, changes: 2, strangers: 2, ...limits }, { refused, log });

let app: AppUnderTest;
beforeEach(async () => {
  warnings.length = 0;
  app = await startApp({
    rateLimiter: limiterOf({}),
    backups: { list: () => Promise.resolve([]) },
    dispatches: { list: () => Promise.resolve([]) },
    emergencyStop: {
      engage: () =>
        Promise.resolve({
          ...{ stopId: '6f9619ff-8b86-4d01-b42d-00cf4fc964ff', databaseFailure: null, brokerFailure: null },
          ...{ devicesTold: 0, devicesNotTold: [], rootFeederIds: [] },
        }),
    },
  });
});
afterEach(() => app.close());

const TOLD = /^"reads";r=\d+;t=\d+$/;
const statuses = async (times: number, ask: () => Promise<{ status: number }>): Promise<number[]> => {
  const all: number[] = [];
  for (let time = 0; time < times; time++) all.push((await ask()).status);
  return all;
};
const read = () => app.call('GET', '/api/backups', { as: 'viewer' });

describe('a caller', () => {
  it('is told with every answer what is left, and how it is counted', async () => {
    const { headers } = await read();
    expect(headers.get('ratelimit-policy')).toBe('"reads";q=2;w=10');
    expect(headers.get('ratelimit')).toBe('"reads";r=1;t=10');
  });

  it('is told when to come again once it has asked too often, and the log is told once', async () => {
    expect(await statuses(4, read)).toEqual([200, 200, 429, 429]);
    const { status, headers, body } = await read();
    expect([status, body.code]).toEqual([429, 'TOO_MANY_REQUESTS']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(10);
    expect(headers.get('ratelimit')).toMatch(TOLD);
    expect(headers.get('ratelimit')).toContain(';r=0;');
    expect(warnings).toEqual([{ policy: 'reads', caller: 'viewer', limit: 2 }]);
    const { text } = await app.call('GET', '/metrics');
    expect(text).toContain('derms_http_rate_limited_total{policy="reads"}');
  });

  it('takes nothing from another one', async () => {
    await statuses(3, read);
    expect((await app.call('GET', '/api/backups', { as: 'operator' })).status).toBe(200);
  });

  it('who reads too much may act nevertheless', async () => {
    const list = () => app.call('GET', '/api/dispatches', { as: 'operator' });
    expect(await statuses(3, list)).toEqual([200, 200, 429]);
    const act = await app.call('POST', '/api/dispatches', { as: 'operator', body: {} });
    expect([act.status, act.headers.get('ratelimit-policy')]).toEqual([422, '"changes";q=2;w=10']);
  });

  it('is never kept from an emergency stop', async () => {
    const stop = () =>
      app.call('POST', '/api/emergency-stop', { as: 'admin', body: { safeState: 'zero', reason: 'a test' } });
    expect(await statuses(5, stop)).toEqual([200, 200, 200, 200, 200]);
  });
});

describe('a stranger', () => {
  it.each(['/api/backups', '/api/nowhere', '/api/docs'])('is counted by address: %s', async (path) => {
    const seen = await statuses(3, () => app.call('GET', path));
    expect(seen[2]).toBe(429);
    expect(seen.slice(0, 2)).not.toContain(429);
  });

  it('at the same address keeps nobody out who has a good token', async () => {
    await statuses(5, () => app.call('GET', '/api/backups', { headers: { authorization: 'Bearer bad' } }));
    expect((await read()).status).toBe(200);
  });
});

describe('the address of a stranger', () => {
  const knock = (one: AppUnderTest, from: string) =>
    one.call('GET', '/api/nowhere', { headers: { 'x-forwarded-for': from } });

  it('is not what the stranger says it is', async () => {
    expect(await statuses(2, () => knock(app, '203.0.113.1'))).toEqual([404, 404]);
    expect((await knock(app, '203.0.113.2')).status).toBe(429);
  });

  it('is what a proxy of ours has seen', async () => {
    const behind = await startApp({ rateLimiter: limiterOf({}), settings: { trustedProxies: ['127.0.0.1', '::1'] } });
    expect(await statuses(3, () => knock(behind, '203.0.113.1'))).toEqual([404, 404, 429]);
    expect((await knock(behind, '203.0.113.2')).status).toBe(404);
    expect((await knock(behind, '203.0.113.9, 203.0.113.1')).status).toBe(429); // what was written in front does not count
    await behind.close();
  });

  it('is the network of it, with IPv6', async () => {
    const behind = await startApp({ rateLimiter: limiterOf({}), settings: { trustedProxies: ['127.0.0.1', '::1'] } });
    const from = ['2001:db8:1:2::1', '2001:db8:1:2::2', '2001:db8:1:2:ffff::3', '2001:db8:1:3::1'];
    const seen: number[] = [];
    for (const address of from) seen.push((await knock(behind, address)).status);
    expect(seen).toEqual([404, 404, 429, 404]);
    await behind.close();
  });
});

it.each(['/api/health', '/api/ready', '/metrics'])('%s is always answered', async (path) => {
  await statuses(3, () => app.call('GET', '/api/nowhere'));
  expect(await statuses(5, () => app.call('GET', path))).toEqual([200, 200, 200, 200, 200]);
});
