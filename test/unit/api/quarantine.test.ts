import { routes } from '../../../api/routes';
import { quarantinedWorkflows } from '../../../api/quarantined-workflows';
import type { Quarantine } from '../../../db/quarantine';
import { DermsError } from '../../../domain/errors';
import { startApp, type AppUnderTest, type Given } from './app-under-test';

const IN_FORCE: Quarantine = {
  since: '2026-05-01T02:00:00.000Z',
  imposedBy: 'restore by ann',
  reason: 'restored from backup b-1',
  restoredFrom: 'b-1',
  dataAsOf: '2026-05-01T01:00:00.000Z',
  lifted: null,
};
const LIFTED: Quarantine = {
  ...IN_FORCE,
  lifted: { at: '2026-05-01T03:00:00.000Z', by: 'admin', reason: 'compared', forced: false },
};

let app: AppUnderTest | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});
const start = async (given: Given): Promise<AppUnderTest> => {
  app = await startApp(given);
  return app;
};
const quarantined: Given['quarantine'] = { inForce: () => Promise.resolve(IN_FORCE) };

const PATH_VALUES: Record<string, string> = {
  feederId: 'feeder-a',
  deviceId: 'pv-1',
  dispatchId: '6f9619ff-8b86-4d01-b42d-00cf4fc964ff',
};

describe('the API on a quarantined database', () => {
  it('refuses an order before anything of it is done, says why, and keeps the attempt', async () => {
    const { call, attempts } = await start({ quarantine: quarantined });
    const { status, body } = await call('POST', '/api/feeders/feeder-a/control-loop/mode', {
      as: 'operator',
      body: { mode: 'manual' },
    });
    expect([status, body.code, body.type, body.detail]).toEqual([
      503,
      'QUARANTINED',
      '/api/docs/errors#QUARANTINED',
      'Quarantined since 2026-05-01T02:00:00.000Z: restored from backup b-1.',
    ]);
    expect(attempts).toMatchObject([{ user: 'operator', action: 'control-loop.mode', outcome: 'refused' }]);
  });

  it('lets nothing but reads, the log-in, the end of tokens and the lift through', () => {
    const open = routes.filter(({ method, worksWhileQuarantined }) => method !== 'get' && worksWhileQuarantined);
    expect(open.map(({ path }) => path).sort()).toEqual([
      '/api/auth/login',
      '/api/auth/machine-tokens/{tokenId}/revoke',
      '/api/auth/revocations',
      '/api/quarantine/lift',
    ]);
  });

  it('reads', async () => {
    const { call } = await start({ quarantine: quarantined });
    expect((await call('GET', '/api/audit', { as: 'admin' })).status).toBe(200);
  });

  it('is told to the loops and open dispatches when it is lifted', async () => {
    const told: string[] = [];
    const { call } = await start({
      quarantine: {
        ...quarantined,
        lift: () => Promise.resolve({ quarantine: LIFTED, rootFeederIds: ['north'], openDispatchIds: ['d-1'] }),
      },
      workflows: {
        wakeControlLoop: (id) => Promise.resolve(void told.push(`wake ${id}`)),
        tellDispatch: (id) => Promise.resolve(void told.push(`tell ${id}`)),
      },
    });
    const { status, body } = await call('POST', '/api/quarantine/lift', { as: 'admin', body: { reason: 'compared' } });
    expect([status, body['lifted']]).toEqual([200, LIFTED.lifted]);
    expect(told).toEqual(['wake north', 'tell d-1']);
  });

  it('is not lifted before the data was compared', async () => {
    const lift = () => Promise.reject(new DermsError('RECONCILIATION_MISSING', 'Nothing has compared it.'));
    const { call } = await start({ quarantine: { ...quarantined, lift } });
    const { status, body } = await call('POST', '/api/quarantine/lift', { as: 'admin', body: { reason: 'hurry' } });
    expect([status, body.code]).toEqual([409, 'RECONCILIATION_MISSING']);
  });
});

describe('a process that was started quarantined', () => {
  const closed = routes.filter(({ method, role }) => method !== 'get' && role !== 'anyone');

  it.each(closed.map((route) => [`${route.method} ${route.path}`, route] as const))(
    'refuses %s, whatever the database says',
    async (_name, route) => {
      const { call } = await start({
        settings: { quarantined: true },
        workflows: quarantinedWorkflows,
        quarantine: { inForce: () => Promise.resolve(null) },
      });
      const path = route.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => PATH_VALUES[name] ?? name);
      const { status, body } = await call(route.method.toUpperCase(), path, { as: 'admin', body: {} });
      // What it cannot read it calls by that name.
      expect([
        [503, 'QUARANTINED'],
        [422, 'VALIDATION_FAILED'],
        [422, 'REGISTRY_INVALID'],
        [400, 'IDEMPOTENCY_KEY_MISSING'],
      ]).toContainEqual([status, body.code]);
    },
  );
});
