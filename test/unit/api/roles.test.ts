import { sign } from 'jsonwebtoken';
import { ACCESS } from '../../../api/access';
import { newMachineToken, type TokenRegister } from '../../../api/auth/token-register';
import { keyId } from '../../../api/auth/tokens';
import { routes } from '../../../api/routes';
import type { Route } from '../../../api/route';
import { ROLES, type Role } from '../../../config/auth-users';
import { authenticationOf, SECRET, startApp, tokens, tokensOf, UNREVOKED, type AppUnderTest } from './app-under-test';

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
  jobName: 'db-backup',
  source: 'network-operator',
};
const pathOf = ({ path }: Route): string =>
  path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => PATH_VALUES[name] ?? name);
const closedRoutes = routes.filter(({ role }) => role !== 'anyone');
const nameOf = ({ method, path }: Route): string => `${method.toUpperCase()} ${path}`;

const OTHER_SECRET = 'pX2rV9sKdT0aQz7cJm4YwL8hNb6uGe1fRi5oSvBtWyE';
const claims = { role: 'admin' };
const good = {
  ...{ issuer: 'derms-production', audience: 'derms-api', subject: 'admin', jwtid: '1', expiresIn: 60 },
  keyid: keyId(SECRET),
} as const;
const tampered = (): string => {
  const [head = '', , signature = ''] = tokens.issue({ user: 'viewer', role: 'viewer' }).split('.');
  const exp = Date.now() / 1000 + 60;
  const body = { role: 'admin', iss: good.issuer, aud: good.audience, sub: 'admin', jti: '1', iat: exp - 60, exp };
  return [head, Buffer.from(JSON.stringify(body)).toString('base64url'), signature].join('.');
};
const admin = { user: 'admin', role: 'admin' } as const;
const BAD_TOKENS: Record<string, () => string> = {
  'that is no JWT': () => 'not.a.token',
  'that is expired': () => sign(claims, SECRET, { ...good, expiresIn: -1 }),
  'that is older than a token may be, whatever it says': () =>
    sign({ ...claims, iat: Date.now() / 1000 - 3_601 }, SECRET, { ...good, expiresIn: 999_999 }),
  'that was issued in the future': () => sign({ ...claims, iat: Date.now() / 1000 + 120 }, SECRET, good),
  'without signature': () => sign(claims, null, { ...good, algorithm: 'none' }),
  'with another secret': () => sign(claims, OTHER_SECRET, good),
  'with another secret that it names': () => sign(claims, OTHER_SECRET, { ...good, keyid: keyId(OTHER_SECRET) }),
  'that names no key': () => sign(claims, SECRET, { ...good, keyid: '' }),
  'by another algorithm': () => sign(claims, SECRET, { ...good, algorithm: 'HS512' }),
  'of staging, under the same secret': () => tokensOf({ issuer: 'derms-staging' }).issue(admin),
  'for another audience': () => sign(claims, SECRET, { ...good, audience: 'somebody-else' }),
  'without a time of issue': () => sign(claims, SECRET, { ...good, noTimestamp: true }),
  'with a role that there is not': () => sign({ role: 'root' }, SECRET, good),
  'with a changed body': tampered,
  'of a user who is gone': () => tokens.issue({ user: 'gone', role: 'admin' }),
  'with a role that the user has no more': () => tokens.issue({ user: 'viewer', role: 'admin' }),
  'of a machine that nobody knows': () => newMachineToken(),
};

it('the token that the bad ones differ from is good', async () => {
  const headers = { authorization: `Bearer ${sign(claims, SECRET, good)}` };
  expect((await app.call('GET', '/api/audit', { headers })).status).toBe(200);
});

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

/** A token that says what it may, in the signs that a token may have. */
const machine = (...scopes: string[]): string =>
  `derms_machine_${scopes.join('+').replaceAll(':', '~').replaceAll('*', '/')}`;
const machines: TokenRegister = {
  ...UNREVOKED,
  machineOf: (token) => {
    const scopes = token.slice('derms_machine_'.length).replaceAll('~', ':').replaceAll('/', '*').split('+');
    return { kind: 'machine', user: 'machine:tester', tokenId: '1', scopes };
  },
};

describe('a token of a machine', () => {
  let withMachines: AppUnderTest;
  beforeAll(async () => {
    withMachines = await startApp({ authentication: authenticationOf({ register: machines }) });
  });
  afterAll(() => withMachines.close());

  /** Operations that it may. */
  const allowed = async (token: string): Promise<string[]> => {
    const headers = { authorization: `Bearer ${token}` };
    const open: string[] = [];
    for (const route of closedRoutes) {
      const { status } = await withMachines.call(route.method.toUpperCase(), pathOf(route), { headers });
      if (status !== 403) open.push(route.operationId);
    }
    return open;
  };

  it.each([
    [['jobs:run:db-backup'], ['startJobRun']],
    [['jobs:run:*'], ['startJobRun']],
    [['jobs:run:restore-drill'], []],
    [['jobs:run'], []],
    [['jobs:*'], []],
    [['*'], []],
    [['*:run:db-backup'], []],
    [
      ['read:runs', 'jobs:run:db-backup'],
      ['startJobRun', 'listRuns', 'readRun', 'followRun'],
    ],
    [['envelopes:set:network-operator'], ['setEnvelopes']],
    [['envelopes:set:somebody-else'], []],
    [
      ['dispatches:request', 'dispatches:cancel'],
      ['requestDispatch', 'cancelDispatch'],
    ],
    [['audit:read'], ['listAudit', 'exportAudit']],
    [['admin'], []],
    [['operator'], []],
  ])('with %j may %j and nothing else', async (scopes, operations) => {
    expect((await allowed(machine(...scopes))).sort()).toEqual([...operations].sort());
  });

  it('with read:* reads what a viewer reads, and changes nothing', async () => {
    const open = await allowed(machine('read:*'));
    expect(open.sort()).toEqual(
      closedRoutes
        .filter(({ role }) => role === 'viewer')
        .map(({ operationId }) => operationId)
        .sort(),
    );
  });

  it.each(['*', 'db-backup:x', 'jobs:run:db-backup', '%2a', '..%2fdb-backup'])(
    'for one job does not run what is called "%s"',
    async (jobName) => {
      const headers = { authorization: `Bearer ${machine('jobs:run:db-backup')}` };
      const path = `/api/jobs/${jobName.startsWith('%') || jobName.startsWith('..') ? jobName : encodeURIComponent(jobName)}/runs`;
      expect((await withMachines.call('POST', path, { headers, body: {} })).status).toBe(403);
    },
  );

  it('has its attempts kept under its own name', async () => {
    const before = withMachines.attempts.length;
    await allowed(machine('read:feeders'));
    const kept = withMachines.attempts.slice(before);
    expect(new Set(kept.map(({ user, outcome }) => `${user} ${outcome}`))).toEqual(new Set(['machine:tester refused']));
    expect(kept).toHaveLength(closedRoutes.filter(({ audit }) => audit !== undefined).length);
  });
});

it('who may do what', () => {
  expect(Object.fromEntries(routes.map((route) => [nameOf(route), route.role]))).toEqual({
    'GET /api/auth/machine-tokens': 'admin',
    'POST /api/auth/machine-tokens': 'admin',
    'POST /api/auth/machine-tokens/{tokenId}/revoke': 'admin',
    'GET /api/auth/revocations': 'admin',
    'POST /api/auth/revocations': 'admin',
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
    'GET /api/emergency-stop': 'viewer',
    'POST /api/emergency-stop': 'admin',
    'DELETE /api/emergency-stop': 'admin',
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
    'GET /api/telemetry/rejected/senders': 'viewer',
    'POST /api/registry': 'admin',
    'GET /api/audit': 'admin',
    'GET /api/audit/export': 'admin',
  });
});

it('every line of the table is a route, and what a machine may has a name in its path', () => {
  expect(routes.map(({ operationId }) => operationId).sort()).toEqual(Object.keys(ACCESS).sort());
  for (const { path, scope } of routes)
    for (const [named] of scope?.matchAll(/\{\w+\}/g) ?? []) expect(path).toContain(named);
});

it('what a machine may change, and by which scope', () => {
  const changing = routes.filter(({ method, scope }) => method !== 'get' && scope !== null);
  expect(Object.fromEntries(changing.map((route) => [nameOf(route), route.scope]))).toEqual({
    'PUT /api/feeders/{feederId}/envelopes/{source}': 'envelopes:set:{source}',
    'POST /api/feeders/{feederId}/plan': 'read:plans', // changes nothing
    'POST /api/dispatches': 'dispatches:request',
    'POST /api/dispatches/{dispatchId}/cancel': 'dispatches:cancel',
    'POST /api/jobs/{jobName}/runs': 'jobs:run:{jobName}',
  });
});

it('no machine may what only an administrator may, but for reading the audit', () => {
  const risky = routes.filter(({ role, scope }) => role === 'admin' && scope !== null);
  expect(risky.map(nameOf)).toEqual(['GET /api/audit', 'GET /api/audit/export']);
});
