import { sign } from 'jsonwebtoken';
import { routes } from '../../../api/routes';
import type { Route } from '../../../api/route';
import { ROLES, type Role } from '../../../config/auth-users';
import { SECRET, startApp, tokens, type AppUnderTest } from './app-under-test';

let app: AppUnderTest;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.close());

const PATH_VALUES: Record<string, string> = {
  feederId: 'feeder-a',
  deviceId: 'pv-1',
  dispatchId: '6f9619ff-8b86-4d01-b42d-00cf4fc964ff',
  backupId: '6f9619ff-8b86-4d01-b42d-00cf4fc964ff',
};
const pathOf = ({ path }: Route): string =>
  path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => PATH_VALUES[name] ?? name);
const closedRoutes = routes.filter(({ role }) => role !== 'anyone');
const nameOf = ({ method, path }: Route): string => `${method.toUpperCase()} ${path}`;

const claims = { role: 'admin' };
const good = { issuer: 'derms', audience: 'derms-api', subject: 'admin', jwtid: '1', expiresIn: 60 } as const;
const tampered = (): string => {
  const [head = '', , signature = ''] = tokens.issue({ user: 'viewer', role: 'viewer' }).split('.');
  const body = { role: 'admin', iss: 'derms', aud: 'derms-api', sub: 'admin', jti: '1', exp: Date.now() / 1000 + 60 };
  return [head, Buffer.from(JSON.stringify(body)).toString('base64url'), signature].join('.');
};
const BAD_TOKENS: Record<string, () => string> = {
  'no JWT': () => 'not.a.token',
  expired: () => sign(claims, SECRET, { ...good, expiresIn: -1 }),
  'without signature': () => sign(claims, null, { ...good, algorithm: 'none' }),
  'with another secret': () => sign(claims, 'another-secret-of-at-least-32-characters', good),
  'by another algorithm': () => sign(claims, SECRET, { ...good, algorithm: 'HS512' }),
  'from another issuer': () => sign(claims, SECRET, { ...good, issuer: 'derms-staging' }),
  'for another audience': () => sign(claims, SECRET, { ...good, audience: 'somebody-else' }),
  'with a changed body': tampered,
  'of a user who is gone': () => tokens.issue({ user: 'gone', role: 'admin' }),
  'with a role that the user has no more': () => tokens.issue({ user: 'viewer', role: 'admin' }),
};

describe('every route that is not open', () => {
  it('is most of them', () => {
    expect(closedRoutes.length).toBeGreaterThan(20);
  });

  it.each(closedRoutes.map((route) => [nameOf(route), route] as const))('%s needs a token', async (_name, route) => {
    const answer = await app.call(route.method.toUpperCase(), pathOf(route));
    expect([answer.status, answer.body.code]).toEqual([401, 'UNAUTHENTICATED']);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="derms"');
  });

  it.each(Object.entries(BAD_TOKENS))('refuses a token %s', async (_what, token) => {
    for (const route of closedRoutes) {
      const answer = await app.call(route.method.toUpperCase(), pathOf(route), {
        headers: { authorization: `Bearer ${token()}` },
      });
      expect([nameOf(route), answer.status]).toEqual([nameOf(route), 401]);
    }
  });

  it.each(closedRoutes.map((route) => [nameOf(route), route] as const))(
    '%s is for its role and those above, and refused attempts to change something are kept',
    async (_name, route) => {
      const before = app.attempts.length;
      const rank = ROLES.indexOf(route.role as Role); // closed: one of them
      for (const [index, role] of ROLES.entries()) {
        const answer = await app.call(route.method.toUpperCase(), pathOf(route), { as: role });
        if (index < rank) expect([role, answer.status, answer.body.code]).toEqual([role, 403, 'FORBIDDEN']);
        else expect([role, answer.status]).not.toEqual([role, 403]);
      }
      const forbidden = app.attempts.slice(before).filter(({ detail }) => detail['code'] === 'FORBIDDEN');
      const kept = route.audit === undefined ? [] : ROLES.slice(0, rank);
      expect(forbidden.map(({ user, outcome }) => [user, outcome])).toEqual(kept.map((role) => [role, 'refused']));
    },
  );
});

it('everything that changes something leaves refused attempts in the audit', () => {
  const silent = routes.filter(({ method, audit }) => method !== 'get' && audit === undefined);
  expect(silent.map(nameOf)).toEqual([]);
});

it('who may do what', () => {
  expect(Object.fromEntries(routes.map((route) => [nameOf(route), route.role]))).toEqual({
    'GET /api/jobs': 'viewer',
    'GET /api/jobs/{jobName}': 'viewer',
    'POST /api/jobs/{jobName}/runs': 'operator',
    'GET /api/runs': 'viewer',
    'GET /api/runs/{runId}': 'viewer',
    'GET /api/runs/{runId}/events': 'viewer',
    'POST /api/runs/{runId}/cancel': 'operator',
    'POST /api/runs/{runId}/run-again': 'operator',
    'POST /api/runs/{runId}/terminate': 'admin',
    'GET /api/schedules': 'viewer',
    'GET /api/schedules/{scheduleId}': 'viewer',
    'POST /api/schedules/{scheduleId}/pause': 'operator',
    'POST /api/schedules/{scheduleId}/resume': 'operator',
    'POST /api/schedules/{scheduleId}/trigger': 'operator',
    'POST /api/auth/login': 'anyone',
    'GET /api/backups': 'viewer',
    'GET /api/backups/{backupId}': 'viewer',
    'GET /api/health': 'anyone',
    'GET /api/ready': 'anyone',
    'GET /api/quarantine': 'viewer',
    'POST /api/quarantine/lift': 'admin',
    'GET /api/feeders': 'viewer',
    'GET /api/feeders/{feederId}': 'viewer',
    'PUT /api/feeders/{feederId}': 'admin',
    'PATCH /api/feeders/{feederId}': 'admin',
    'GET /api/feeders/{feederId}/envelopes': 'viewer',
    'PUT /api/feeders/{feederId}/envelopes/{source}': 'operator',
    'GET /api/feeders/{feederId}/cycles/{cycle}': 'viewer',
    'POST /api/feeders/{feederId}/plan': 'viewer',
    'GET /api/devices/{deviceId}/why': 'viewer',
    'GET /api/feeders/{feederId}/history': 'viewer',
    'GET /api/feeders/{feederId}/cycles': 'viewer',
    'GET /api/feeders/{feederId}/control-loop': 'viewer',
    'POST /api/feeders/{feederId}/control-loop/wake': 'operator',
    'POST /api/feeders/{feederId}/control-loop/mode': 'operator',
    'POST /api/feeders/{feederId}/control-loop/approve': 'operator',
    'POST /api/feeders/{feederId}/control-loop/interval': 'admin',
    'POST /api/feeders/{feederId}/control-loop/stop': 'admin',
    'POST /api/feeders/{feederId}/control-loop/start': 'admin',
    'POST /api/dispatches': 'operator',
    'GET /api/dispatches': 'viewer',
    'GET /api/dispatches/{dispatchId}': 'viewer',
    'POST /api/dispatches/{dispatchId}/cancel': 'operator',
    'GET /api/devices': 'viewer',
    'GET /api/devices/{deviceId}': 'viewer',
    'PATCH /api/devices/{deviceId}': 'admin',
    'GET /api/devices/{deviceId}/telemetry': 'viewer',
    'GET /api/devices/{deviceId}/setpoints': 'viewer',
    'GET /api/telemetry/rejected': 'viewer',
    'POST /api/registry': 'admin',
    'GET /api/audit': 'admin',
    'GET /api/audit/export': 'admin',
  });
});
