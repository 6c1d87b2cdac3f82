import { request } from 'node:http';
import { ERROR_PAGES } from '../../../api/error-pages';
import { problemHeaders } from '../../../api/problem';
import { createLogger } from '../../../observability/logger';
import { DermsError, type ErrorCode } from '../../../domain/errors';
import { routes } from '../../../api/routes';
import { HEALTHY, startApp, type AppUnderTest, type Given } from './app-under-test';

let app: AppUnderTest | undefined;
const start = async (given: Given = {}): Promise<AppUnderTest> => (app = await startApp(given));
afterEach(async () => {
  await app?.close();
  app = undefined;
});

describe('with PostgreSQL known to be away', () => {
  const health = { ...HEALTHY, dependency: () => ({ up: false, since: '', reason: 'no answer within 1800 ms' }) };

  it.each([
    ['GET', '/api/feeders', undefined],
    ['POST', '/api/auth/machine-tokens', { name: 'm', scopes: ['read:feeders'], purpose: 'p' }],
  ])('%s %s is refused at once, with what it needs and when to come again', async (method, path, body) => {
    const { call } = await start({ health }); // no port is expected to be used
    const answer = await call(method, path, { as: 'admin', ...(body === undefined ? {} : { body }) });
    expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).toEqual([
      ...[503, 'DATABASE_UNAVAILABLE', '5'],
    ]);
    expect(answer.body.detail).toBe('PostgreSQL does not answer: no answer within 1800 ms.');
  });

  it('only log-in, health and the emergency stop go on', () => {
    const exempt = routes.filter(({ worksWithoutDatabase }) => worksWithoutDatabase === true);
    expect(exempt.map(({ operationId }) => operationId).sort()).toEqual([
      ...['engageEmergencyStop', 'health', 'login', 'ready'],
    ]);
  });
});

describe('a request that comes to nothing', () => {
  it('is answered as a problem document with its code, page, status and request id', async () => {
    const { call } = await start();
    const answer = await call('GET', '/api/nowhere', { headers: { 'x-request-id': 'from-the-caller' } });
    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(answer.headers.get('x-request-id')).toBe('from-the-caller');
    expect(answer.body).toEqual({
      type: '/api/docs/errors#NOT_FOUND',
      title: 'There is nothing here',
      status: 404,
      code: 'NOT_FOUND',
      detail: 'There is nothing at /api/nowhere.',
      requestId: 'from-the-caller',
      errors: [],
    });
  });

  it('gets a request id of ours when its own could not stand in a log', async () => {
    const { call } = await start();
    const answer = await call('GET', '/api/nowhere', { headers: { 'x-request-id': 'two words' } });
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('names the methods that a path takes', async () => {
    const { call } = await start();
    const answer = await call('DELETE', '/api/feeders/feeder-a', { as: 'admin' });
    expect([answer.status, answer.body.code]).toEqual([405, 'METHOD_NOT_ALLOWED']);
    expect(answer.headers.get('allow')).toBe('HEAD, GET, PUT, PATCH');
  });

  it.each(['/api/docs', '/api/openapi.json', '/api/docs/swagger-ui.css', '/metrics'])(
    'names the methods that a page takes: %s',
    async (path) => {
      const { call } = await start();
      const answer = await call('POST', path);
      expect([answer.status, answer.body.code, answer.headers.get('allow')]).toEqual([
        405,
        'METHOD_NOT_ALLOWED',
        'HEAD, GET',
      ]);
    },
  );

  it('refuses bytes that are no UTF-8, rather than reading something else', async () => {
    const { url } = await start();
    const body = Buffer.concat([Buffer.from('{"user":"'), Buffer.from([0xc3, 0x28]), Buffer.from('","password":"x"}')]);
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/api/auth/login`, { method: 'POST', headers, body });
    expect([answer.status, await answer.json()]).toEqual([
      400,
      expect.objectContaining({ code: 'MALFORMED_JSON', detail: 'The body is not UTF-8.' }),
    ]);
  });

  it.each([
    ['broken JSON', '{"user": ', 400, 'MALFORMED_JSON'],
    ['a bare value', '"operator"', 400, 'MALFORMED_JSON'],
    ['more than 256 kB', JSON.stringify({ user: 'x'.repeat(300_000) }), 413, 'PAYLOAD_TOO_LARGE'],
  ])('refuses %s', async (_what, rawBody, status, code) => {
    const { call } = await start();
    const answer = await call('POST', '/api/auth/login', { rawBody });
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  it.each([
    ['text/plain', {}],
    ['application/x-www-form-urlencoded', {}],
    ['application/json; charset=klingon', {}],
    ['application/json; charset=utf-16', {}],
    ['application/json', { 'content-encoding': 'snappy' }],
  ])('refuses a body of another kind: %s %j', async (type, more) => {
    const { call } = await start();
    const answer = await call('POST', '/api/auth/login', { rawBody: '{}', headers: { 'content-type': type, ...more } });
    expect([answer.status, answer.body.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
  });

  it.each([
    ['objects', '{"a":'],
    ['lists', '['],
  ])('refuses %s that are nested without end, before it reads them', async (_what, step) => {
    const { call } = await start();
    const rawBody = `{"user":${step.repeat(20_000)}`;
    const answer = await call('POST', '/api/auth/login', { rawBody });
    expect([answer.status, answer.body.code, answer.body.detail]).toEqual([
      422,
      'VALIDATION_FAILED',
      'The body is nested deeper than 64 levels.',
    ]);
  });

  it('takes brackets in strings for what they are', async () => {
    const { call } = await start();
    const answer = await call('POST', '/api/auth/login', {
      body: { user: '[{"\\'.repeat(10), password: '{['.repeat(99) },
    });
    expect([answer.status, answer.body.code]).toEqual([401, 'UNAUTHENTICATED']);
  });

  it('quotes nothing of a body that it cannot read', async () => {
    const { call } = await start();
    const answer = await call('POST', '/api/auth/login', { rawBody: '{"password": hunter2}' });
    expect(answer.text).not.toContain('hunter2');
  });

  it('names every fault at once, with a pointer to each', async () => {
    const { call } = await start();
    const answer = await call('POST', '/api/auth/login', { body: { user: 7, 'pass/word': 'x' } });
    expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
    expect(answer.body.errors).toEqual([
      { pointer: '/user', message: 'Invalid input: expected string, received number' },
      { pointer: '/password', message: 'is required and missing' },
      { pointer: '/pass~1word', message: 'is not a known field' },
    ]);
  });

  it.each([
    ['/api/devices?limit=0', '/query/limit'],
    ['/api/devices?state=asleep', '/query/state'],
    ['/api/devices?colour=red', '/query/colour'],
    ['/api/devices?limit=1&limit=2', '/query/limit'],
    ['/api/devices?cursor=garbage', '/query/cursor'],
    ['/api/devices/a%20b', '/path/deviceId'],
    ['/api/dispatches/not-a-uuid', '/path/dispatchId'],
    ['/api/devices/pv-1/telemetry?from=2026-05-01T17:00:00', '/query/from'],
    ['/api/devices/pv-1/telemetry?from=2026-05-02T00:00:00Z&to=2026-05-01T00:00:00Z', '/query/from'],
    ['/api/devices/pv-1/telemetry?from=2026-05-01T10:23:15%2B21:27', '/query/from'],
    ['/api/devices/pv-1/telemetry?from=0000-01-01T00:00:00Z', '/query/from'],
  ])('points into queries and paths: %s', async (path, pointer) => {
    const { call } = await start();
    const answer = await call('GET', path, { as: 'viewer' });
    expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
    expect(answer.body.errors.map((fault) => fault.pointer)).toEqual([pointer]);
  });

  it('survives a path that cannot be decoded', async () => {
    const { url } = await start();
    const status = await new Promise((resolve, reject) => {
      request(`${url}/api/devices/%ff`, { headers: { authorization: 'Bearer x' } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .once('error', reject)
        .end();
    });
    expect(status).toBe(422);
  });
});

describe('a failure inside', () => {
  const lines: { level: string; msg: string; err?: { message: string } }[] = [];
  const log = createLogger({ service: 'derms', role: 'test', level: 'info', pretty: false });

  beforeEach(() => {
    lines.length = 0;
    jest.spyOn(log, 'error').mockImplementation((details: unknown, msg?: string) => {
      lines.push({ level: 'error', msg: msg ?? '', ...(details as object) });
    });
    jest.spyOn(log, 'info').mockImplementation(() => undefined);
    jest.spyOn(log, 'warn').mockImplementation(() => undefined);
  });

  it('is told by its id alone; the log has the rest', async () => {
    const { call } = await start({ log, devices: { read: () => Promise.reject(new Error('secret of the house')) } });
    const answer = await call('GET', '/api/devices/pv-1', { as: 'viewer' });
    expect([answer.status, answer.body.code]).toEqual([500, 'INTERNAL']);
    expect(answer.text).not.toContain('secret of the house');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ requestId: answer.body.requestId, err: { message: 'secret of the house' } });
  });

  it.each([
    [
      Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' }),
      503,
      'DATABASE_UNAVAILABLE',
    ],
    [new Error('timeout exceeded when trying to connect'), 503, 'DATABASE_UNAVAILABLE'],
    [Object.assign(new Error('canceling statement'), { code: '57014' }), 504, 'TIMED_OUT'],
    [new DermsError('DEVICE_NOT_FOUND', 'There is no device pv-1.'), 404, 'DEVICE_NOT_FOUND'],
  ])('keeps its name: %s', async (error, status, code) => {
    const { call } = await start({ log, devices: { read: () => Promise.reject(error) } });
    const answer = await call('GET', '/api/devices/pv-1', { as: 'viewer' });
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.headers.get('retry-after')).toBe(status === 503 ? '5' : null);
    expect(lines).toEqual([]);
  });

  it('that never ends is ended for the caller', async () => {
    const { call } = await start({
      log,
      settings: { requestTimeoutMs: 50 },
      devices: { read: () => new Promise(() => undefined) },
    });
    const answer = await call('GET', '/api/devices/pv-1', { as: 'viewer' });
    expect([answer.status, answer.body.code]).toEqual([504, 'TIMED_OUT']);
  });

  it('is found when an answer is not what the route declares', async () => {
    const { call } = await start({ log, devices: { read: () => Promise.resolve({ revision: 1 } as never) } });
    expect((await call('GET', '/api/devices/pv-1', { as: 'viewer' })).status).toBe(500);
    expect(lines[0]?.err?.message).toBe('readDevice answers what it does not declare');
  });
});

it.each((Object.keys(ERROR_PAGES) as ErrorCode[]).filter((code) => ERROR_PAGES[code].status === 503))(
  '%s, which may pass, says when to try again',
  (code) => {
    expect(Number(problemHeaders(new DermsError(code, 'x'))['Retry-After'])).toBeGreaterThan(0);
  },
);

describe('while the process stops', () => {
  it('new requests are sent away, probes are not', async () => {
    const { call } = await start({ stopping: () => true });
    const away = await call('GET', '/api/feeders', { as: 'viewer' });
    expect([away.status, away.body.code, away.headers.get('retry-after')]).toEqual([503, 'SHUTTING_DOWN', '1']);
    expect((await call('GET', '/api/health')).status).toBe(200);
    const ready = await call('GET', '/api/ready');
    expect([ready.status, ready.body]).toEqual([503, { ready: false, missing: 'the process is stopping' }]);
  });
});

describe('metrics', () => {
  it('count requests by route, not by id', async () => {
    const { call } = await start();
    await call('GET', '/api/devices/pv-1?x=1', { as: 'viewer' });
    await call('GET', '/api/some/where');
    const { text } = await call('GET', '/metrics');
    expect(text).toContain(
      'derms_http_request_duration_seconds_count{method="GET",route="/api/devices/{deviceId}",status="422"} 1',
    );
    expect(text).toContain('derms_http_request_duration_seconds_count{method="GET",route="unmatched",status="404"} 1');
    expect(text).toContain('derms_workflow_message_failures_total{message="wake"} 0');
  });

  it('count errors of ours by status, each from 0 on, so that the first one is an increase', async () => {
    const { call } = await start({ devices: { read: () => Promise.reject(new Error('broken')) } });
    const before = (await call('GET', '/metrics')).text;
    for (const status of [500, 503, 504])
      expect(before).toContain(`derms_http_errors_total{status="${String(status)}"} 0`);
    expect((await call('GET', '/api/devices/pv-1', { as: 'viewer' })).status).toBe(500);
    expect((await call('GET', '/api/some/where')).status).toBe(404);
    const after = (await call('GET', '/metrics')).text;
    expect(after).toContain('derms_http_errors_total{status="500"} 1');
    expect(after).not.toContain('derms_http_errors_total{status="404"}');
  });

  it('are not there when they are switched off', async () => {
    const { call } = await start({ settings: { metricsEnabled: false } });
    expect((await call('GET', '/metrics')).status).toBe(404);
  });

  it('stand where they are wanted', async () => {
    const { call } = await start({ settings: { metricsPath: '/internal/figures' } });
    expect((await call('GET', '/internal/figures')).status).toBe(200);
    expect((await call('GET', '/metrics')).status).toBe(404);
  });
});
