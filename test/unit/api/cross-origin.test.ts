import { startApp, type AppUnderTest } from './app-under-test';

const OURS = 'https://console.grid.example';
let app: AppUnderTest;
beforeAll(async () => {
  app = await startApp({ settings: { corsOrigins: [OURS] }, backups: { list: () => Promise.resolve([]) } });
});
afterAll(() => app.close());

const ALLOW = 'access-control-allow-origin';
const preflight = (origin: string) =>
  app.call('OPTIONS', '/api/dispatches', { headers: { origin, 'access-control-request-method': 'POST' } });

describe('a page of a listed origin', () => {
  it('may ask with every header of ours', async () => {
    const { status, headers, text } = await preflight(OURS);
    expect([status, text, headers.get(ALLOW), headers.get('vary')]).toEqual([204, '', OURS, 'Origin']);
    expect(headers.get('access-control-allow-methods')).toBe('GET, HEAD, POST, PUT, PATCH, DELETE');
    expect(headers.get('access-control-allow-headers')).toContain('Authorization, Content-Type, Idempotency-Key');
    expect(headers.get('access-control-allow-credentials')).toBeNull();
  });

  it('may read answers and problems, with their headers', async () => {
    const answer = await app.call('GET', '/api/backups', { as: 'viewer', headers: { origin: OURS } });
    expect([answer.status, answer.headers.get(ALLOW)]).toEqual([200, OURS]);
    expect(answer.headers.get('access-control-expose-headers')).toContain('ETag');
    const problem = await app.call('GET', '/api/backups', { headers: { origin: OURS } });
    expect([problem.status, problem.headers.get(ALLOW)]).toEqual([401, OURS]);
  });

  it('still learns which methods a path takes', async () => {
    expect((await app.call('OPTIONS', '/api/dispatches', { headers: { origin: OURS } })).status).toBe(405);
  });
});

describe('a page of any other origin', () => {
  it.each([
    'https://evil.example',
    'null',
    'http://console.grid.example',
    'https://console.grid.example:8443',
    'https://console.grid.example.evil.example',
    'https://console.grid.example/',
    'HTTPS://CONSOLE.GRID.EXAMPLE',
  ])('is told nothing: %s', async (origin) => {
    const asked = await preflight(origin);
    expect([asked.status, asked.headers.get(ALLOW)]).toEqual([405, null]);
    const answer = await app.call('GET', '/api/backups', { as: 'viewer', headers: { origin } });
    expect([answer.headers.get(ALLOW), answer.headers.get('vary')]).toEqual([null, 'Origin']);
  });

  it('is told nothing by default', async () => {
    const plain = await startApp();
    const { headers } = await plain.call('GET', '/api/health', { headers: { origin: OURS } });
    expect([headers.get(ALLOW), headers.get('vary')]).toEqual([null, null]);
    await plain.close();
  });
});

describe('every answer', () => {
  it.each(['/api/health', '/api/docs', '/api/nowhere', '/metrics'])(
    'of %s has the headers that browsers obey',
    async (path) => {
      const { headers } = await app.call('GET', path);
      expect(headers.get('content-security-policy')).toBe(
        "default-src 'self';img-src 'self' data:;object-src 'none';base-uri 'none';form-action 'self';frame-ancestors 'none'",
      );
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('strict-transport-security')).toContain('max-age=');
      expect([headers.get('x-powered-by'), headers.get('set-cookie')]).toEqual([null, null]);
    },
  );
});
