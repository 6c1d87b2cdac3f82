import { createAuthentication } from '../../../api/auth/authentication';
import { createLoginBackOff } from '../../../api/auth/login-back-off';
import { parseAuthUsers } from '../../../config/auth-users';
import { hashPassword } from '../../../config/password-hash';
import { startApp, tokens, type AppUnderTest } from './app-under-test';

let nowMs = 0;
let app: AppUnderTest;
const PASSWORD = 'correct horse battery';

beforeAll(async () => {
  const users = parseAuthUsers(
    JSON.stringify([{ user: 'olga', role: 'operator', hash: await hashPassword(PASSWORD) }]),
  );
  app = await startApp({
    authentication: createAuthentication(
      users,
      tokens,
      createLoginBackOff(() => nowMs),
    ),
  });
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

  it('counts what came of it', async () => {
    await login('olga', PASSWORD);
    const { text } = await app.call('GET', '/metrics');
    expect(text).toMatch(/derms_logins_total\{outcome="accepted"\} [1-9]/);
    expect(text).toMatch(/derms_logins_total\{outcome="refused"\} [1-9]/);
  });
});

describe('the back-off', () => {
  it('doubles with each failure up to a minute, apart for each user and address', () => {
    let now = 0;
    const backOff = createLoginBackOff(() => now);
    const waits = Array.from({ length: 12 }, () => {
      backOff.failed('olga', '10.0.0.1');
      return backOff.waitSeconds('olga', '10.0.0.1');
    });
    expect(waits).toEqual([0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]);
    expect(backOff.waitSeconds('olga', '10.0.0.2')).toBe(0);
    expect(backOff.waitSeconds('otto', '10.0.0.1')).toBe(0);
    now = 60_000;
    expect(backOff.waitSeconds('olga', '10.0.0.1')).toBe(0);
    backOff.succeeded('olga', '10.0.0.1');
    backOff.failed('olga', '10.0.0.1');
    expect(backOff.waitSeconds('olga', '10.0.0.1')).toBe(0);
  });
});
