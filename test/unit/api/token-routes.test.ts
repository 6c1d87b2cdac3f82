import type { MachineTokenOrder } from '../../../db/machine-tokens';
import type { RevocationOrder } from '../../../db/token-revocations';
import { machineTokenHash } from '../../../api/auth/token-register';
import { aUser, authenticationOf, startApp, UNREVOKED, type AppUnderTest } from './app-under-test';

const ID = '0193a5b0-0000-7000-8000-000000000001';
const aToken = {
  ...{ tokenId: ID, name: 'nightly', issuer: 'derms-production', scopes: ['read:runs'], purpose: 'CronJob' },
  ...{ issuedAt: '2026-05-01T12:00:00.000Z', issuedBy: 'admin', expiresAt: '2026-07-30T12:00:00.000Z' },
  ...{ lastUsedAt: null, lastUsedAddress: null, revoked: null },
};

let app: AppUnderTest;
let issued: MachineTokenOrder[];
let revoked: RevocationOrder[];
let looks: number;
beforeEach(async () => {
  issued = [];
  revoked = [];
  looks = 0;
  const users = ['admin', 'operator', 'olga'].map((user) =>
    aUser(user, user === 'olga' ? 'viewer' : (user as 'admin'), 'x'),
  );
  app = await startApp({
    authentication: authenticationOf({ users }),
    tokenRegister: { ...UNREVOKED, lookNow: () => Promise.resolve(void (looks += 1)) },
    jobs: { declared: new Map([['db-backup', {} as never]]) },
    machineTokens: {
      list: ({ limit }) => Promise.resolve([aToken, { ...aToken, tokenId: ID.replace(/1$/, '0') }].slice(0, limit)),
      issue: (order) => {
        issued.push(order);
        return Promise.resolve({ ...aToken, name: order.name, scopes: order.scopes });
      },
      revoke: ({ reason }) =>
        Promise.resolve({ ...aToken, revoked: { at: '2026-05-01T13:00:00.000Z', by: 'admin', reason } }),
    },
    revocations: {
      list: () => Promise.resolve([]),
      revoke: (order) => {
        revoked.push(order);
        const moment = order.issuedBefore ?? '2026-05-01T12:00:00.000Z';
        const { reason, user } = order;
        return Promise.resolve({
          revocation: { id: 1, at: moment, by: 'admin', reason, user, issuedBefore: moment },
          machineTokens: 2,
        });
      },
    },
  });
});
afterEach(() => app.close());

const post = (path: string, body: unknown) => app.call('POST', path, { as: 'admin', body });

describe('a machine token', () => {
  const asked = { name: 'nightly', scopes: ['read:runs', 'jobs:run:db-backup', 'read:runs'], purpose: 'CronJob' };

  it('is shown once and kept as a hash; it counts at once', async () => {
    const { status, body, headers } = await post('/api/auth/machine-tokens', asked);
    expect([status, headers.get('cache-control'), looks]).toEqual([201, 'no-store', 1]);
    const token = body['token'] as string;
    expect(issued).toEqual([
      expect.objectContaining({
        ...{ name: 'nightly', scopes: ['jobs:run:db-backup', 'read:runs'], validDays: 90 },
        ...{ issuer: 'derms-production', tokenHash: machineTokenHash(token) },
      }),
    ]);
    expect((await app.call('GET', '/api/auth/machine-tokens', { as: 'admin' })).text).not.toContain(token);
  });

  it('has scopes that there are, and at most a year', async () => {
    const wrong = await post('/api/auth/machine-tokens', {
      ...asked,
      scopes: ['read:runs', '*', 'jobs:run:db-bakcup'],
    });
    expect([wrong.status, wrong.body.errors]).toEqual([
      422,
      [
        { pointer: '/scopes/1', message: expect.stringContaining('is none of') },
        { pointer: '/scopes/2', message: 'names a job that there is not: db-bakcup' },
      ],
    ]);
    expect((await post('/api/auth/machine-tokens', { ...asked, validDays: 366 })).status).toBe(422);
    expect(issued).toEqual([]);
  });

  it('is listed page by page', async () => {
    const first = await app.call('GET', '/api/auth/machine-tokens?limit=1', { as: 'admin' });
    expect([first.status, first.body.items.length, typeof first.body.nextCursor]).toEqual([200, 1, 'string']);
    const next = `/api/auth/machine-tokens?cursor=${String(first.body.nextCursor)}`;
    expect((await app.call('GET', next, { as: 'admin' })).status).toBe(200);
  });

  it('is revoked with a reason', async () => {
    expect((await post(`/api/auth/machine-tokens/${ID}/revoke`, {})).status).toBe(422);
    const answer = await post(`/api/auth/machine-tokens/${ID}/revoke`, { reason: 'leaked' });
    expect([answer.status, answer.body['revoked'], looks]).toEqual([
      200,
      { at: '2026-05-01T13:00:00.000Z', by: 'admin', reason: 'leaked' },
      1,
    ]);
  });
});

describe('revoking tokens', () => {
  const path = '/api/auth/revocations';

  it('means everybody and every machine by default, and is known here at once', async () => {
    const { status, body } = await post(path, { reason: 'leaked' });
    expect([status, body['machineTokens'], looks]).toEqual([201, 2, 1]);
    expect(revoked).toEqual([
      expect.objectContaining({ reason: 'leaked', user: null, issuedBefore: null, machines: true }),
    ]);
  });

  it('of one user leaves machines alone; both can be asked for', async () => {
    await post(path, { reason: 'leaked', user: 'olga' });
    await post(path, { reason: 'leaked', machineTokens: false });
    expect(revoked.map(({ user, machines }) => [user, machines])).toEqual([
      ['olga', false],
      [null, false],
    ]);
  });

  it('is not for the future, in which nobody could log in, nor for nobody', async () => {
    const future = await post(path, { reason: 'x', issuedBefore: '2100-01-01T00:00:00Z' });
    expect([future.status, future.body.errors]).toEqual([
      422,
      [{ pointer: '/issuedBefore', message: 'is in the future' }],
    ]);
    const nobody = await post(path, { reason: 'x', user: 'oIga' });
    expect(nobody.body.errors).toEqual([{ pointer: '/user', message: 'is nobody in AUTH_USERS' }]);
    expect(revoked).toEqual([]);
  });
});
