import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseAuthUsers } from '../../../config/auth-users';
import { hashPassword } from '../../../config/password-hash';
import { createLogger } from '../../../observability/logger';
import { aUser, authenticationOf, backOffOf, startApp, tokensOf, type AppUnderTest, UNREVOKED } from './app-under-test';

let nowMs = 0;
let app: AppUnderTest;
const PASSWORD = 'Correct horse battery 9';
const log = createLogger({ service: 'derms', role: 'test', level: 'silent', pretty: false });

beforeAll(async () => {
  // Real hashes: what they cost is part of what is tested.
  const entry = { user: 'olga', role: 'operator', hash: await hashPassword(PASSWORD) };
  const users = parseAuthUsers(JSON.stringify([entry]), { strict: false, now: new Date() });
  const settings = { requestTimeoutMs: 60_000 }; // four hashes on a busy machine
  app = await startApp({ log, settings, authentication: authenticationOf({ users, backOff: backOffOf(() => nowMs) }) });
});
afterAll(() => app.close());
beforeEach(() => {
  nowMs += 3_600_000;
});

const login = (user: string, password: string) => app.call('POST', '/api/auth/login', { body: { user, password } });

describe('logging in', () => {
  it('gives a token that opens what the role may do', async () => {
    const answer = await login('olga', PASSWORD);
    expect([answer.status, answer.body]).toEqual([
      200,
      { accessToken: expect.any(String), tokenType: 'Bearer', expiresInSeconds: 3_600, user: 'olga', role: 'operator' },
    ]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const headers = { authorization: `Bearer ${answer.body.accessToken}` };
    expect((await app.call('GET', '/api/audit', { headers })).status).toBe(403);
    expect((await app.call('GET', '/api/nowhere', { headers })).status).toBe(404);
  });

  it('says the same whether user or password is wrong', async () => {
    const wrongPassword = await login('olga', 'wrong');
    const wrongUser = await login('nobody', PASSWORD);
    expect([wrongPassword.status, wrongPassword.body.detail]).toEqual([401, 'User or password is wrong.']);
    expect([wrongUser.status, wrongUser.body.detail]).toEqual([401, 'User or password is wrong.']);
  });

  it('takes about as long for unknown users as for known ones', async () => {
    const seconds = async (user: string): Promise<number> => {
      const startedAt = performance.now();
      await login(user, 'wrong');
      return performance.now() - startedAt;
    };
    const known: number[] = [];
    const unknown: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      known.push(await seconds('olga'));
      unknown.push(await seconds(`stranger-${String(round)}`));
    }
    const ratio = Math.min(...unknown) / Math.min(...known);
    expect(ratio).toBeGreaterThan(0.5);
    expect(ratio).toBeLessThan(2);
  });

  it('is slowed down after five failures of one user from one address, and free again after the wait', async () => {
    for (let failure = 0; failure < 5; failure += 1) expect((await login('olga', 'wrong')).status).toBe(401);
    const delayed = await login('olga', PASSWORD);
    expect([delayed.status, delayed.body.code, delayed.headers.get('retry-after')]).toEqual([
      429,
      'TOO_MANY_REQUESTS',
      '1',
    ]);
    nowMs += 1_000;
    expect((await login('olga', PASSWORD)).status).toBe(200);
    expect((await login('olga', 'wrong')).status).toBe(401); // the slate is clean
  });

  it('that is refused is logged with the address and, if there is one, the user; never what else was typed', async () => {
    const warn = jest.spyOn(log, 'warn').mockImplementation(() => undefined);
    await login('olga', 'wrong');
    await login(PASSWORD, 'olga');
    expect(warn.mock.calls.map(([details]) => details)).toEqual([
      { user: 'olga', address: '127.0.0.1', requestId: expect.any(String) },
      { user: 'unknown user', address: '127.0.0.1', requestId: expect.any(String) },
    ]);
    warn.mockRestore();
  });

  it('leaves the event loop free while many hash at once', async () => {
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const statuses = (await Promise.all(Array.from({ length: 4 }, (_each, n) => login(`user-${String(n)}`, 'x')))).map(
      ({ status }) => status,
    );
    delay.disable();
    expect(new Set(statuses)).toEqual(new Set([401]));
    expect(delay.percentile(50) / 1e6).toBeLessThan(50); // one hash on it would be 150 ms
  });

  it('counts what came of it', async () => {
    await login('olga', PASSWORD);
    const { text } = await app.call('GET', '/metrics');
    expect(text).toMatch(/derms_logins_total\{outcome="accepted"\} [1-9]/);
    expect(text).toMatch(/derms_logins_total\{outcome="refused"\} [1-9]/);
  });
});

describe('a user who is guessed at from many addresses', () => {
  const OPERATOR = { user: 'olga', password: PASSWORD };
  const authentication = (slept: number[] = []) =>
    authenticationOf({
      users: [aUser('olga', 'operator', PASSWORD)],
      backOff: backOffOf(() => 0),
      sleep: (ms) => Promise.resolve(slept.push(ms)),
    });

  it('logs in nevertheless, after 5 s at most', async () => {
    const slept: number[] = [];
    const under = authentication(slept);
    for (let n = 0; n < 20; n += 1)
      await under.login({ user: 'olga', password: 'wrong' }, `10.0.${String(n)}.1`).catch(() => undefined);
    expect(await under.login(OPERATOR, '192.0.2.7')).toMatchObject({ user: 'olga', role: 'operator' });
    expect(slept).toEqual([1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000, 5_000, 5_000, 5_000, 5_000]);
  });

  it('is not even delayed by a flood from one address, which has eight places', async () => {
    const under = authentication();
    const flood = await Promise.allSettled(
      Array.from({ length: 100 }, () => under.login({ user: 'somebody', password: 'x' }, '10.0.0.1')),
    );
    const codes = flood.map((each) => (each.status === 'rejected' ? (each.reason as { code: string }).code : 'in'));
    expect(codes.filter((code) => code === 'UNAUTHENTICATED')).toHaveLength(5);
    expect(codes.filter((code) => code === 'TOO_MANY_REQUESTS')).toHaveLength(95);
    const startedAt = performance.now();
    expect(await under.login(OPERATOR, '192.0.2.7')).toMatchObject({ user: 'olga' });
    expect(performance.now() - startedAt).toBeLessThan(500);
  });

  it('and one who has 2⁶⁴ addresses of IPv6 is one address', async () => {
    const under = authentication();
    for (let n = 1; n <= 5; n += 1)
      await under.login({ user: 'olga', password: 'x' }, `2001:db8:0:1::${String(n)}`).catch(() => undefined);
    await expect(under.login(OPERATOR, '2001:db8::1:0:0:0:9')).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    expect(await under.login(OPERATOR, '2001:db8:0:2::9')).toMatchObject({ user: 'olga' });
  });
});

it('tokens that are not taken are counted by why', async () => {
  const reasons: string[] = [];
  let revokedBefore = 0;
  const under = authenticationOf({
    users: [aUser('olga', 'operator', PASSWORD)],
    register: { ...UNREVOKED, isRevoked: ({ issuedAtMs }) => issuedAtMs < revokedBefore },
    onTokenRefused: (reason) => reasons.push(reason),
  });
  const good = tokensOf().issue({ user: 'olga', role: 'operator' });
  const old = tokensOf({ nowMs: () => Date.now() - 7_200_000 }).issue({ user: 'olga', role: 'operator' });
  const promoted = tokensOf().issue({ user: 'olga', role: 'admin' });
  const foreign = tokensOf({ issuer: 'derms-staging' }).issue({ user: 'olga', role: 'operator' });

  expect(under.callerOf(good, '192.0.2.7')).toMatchObject({ user: 'olga' });
  revokedBefore = Date.now() + 1_000;
  for (const token of [good, old, promoted, foreign, 'derms_machine_x', 'x'])
    expect(under.callerOf(token, '192.0.2.7')).toBeNull();
  expect(reasons).toEqual(['revoked', 'expired', 'revoked', 'unknown', 'machine', 'unknown']);
});
