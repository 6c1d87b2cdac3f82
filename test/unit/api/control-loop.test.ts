import type { LoopRecord } from '../../../db/control-loop-reads';
import type { LoopOrder } from '../../../db/control-loop-orders';
import type { FeederRecord } from '../../../db/feeders';
import { DermsError } from '../../../domain/errors';
import type { ControlLoopStatus } from '../../../workflows/messages';
import { startApp, type AppUnderTest, type Given } from './app-under-test';

const ROOT: FeederRecord = {
  feederId: 'substation',
  parentId: null,
  rootFeederId: 'substation',
  name: null,
  importLimitKw: 100,
  exportLimitKw: 100,
  baseLoadKw: 0,
  mode: 'automatic',
  intervalSeconds: 10,
  enabled: true,
  origin: 'registry',
  revision: 1,
  updatedAt: '2026-05-01T12:00:00.000Z',
};
const STATUS: ControlLoopStatus = {
  rootFeederId: 'substation',
  chainId: 'chain',
  cycle: 812,
  mode: 'automatic',
  intervalSeconds: 10,
  nextTickAtMs: 1,
  lastResult: { cycle: 812, atMs: 1, outcome: 'published', summary: 'cycle 812' },
  failedCycles: 0,
  missedTicks: 0,
};
const LAST: NonNullable<LoopRecord['last']> = {
  chainId: '6f9619ff-8b86-4d01-b42d-00cf4fc964fe',
  chainStartedAt: '2026-05-01T11:00:00.000Z',
  cycle: 812,
  planId: '6f9619ff-8b86-4d01-b42d-00cf4fc964ff',
  tickAt: '2026-05-01T12:00:00.000Z',
  plannedAt: '2026-05-01T12:00:01.000Z',
  finishedAt: '2026-05-01T12:00:02.000Z',
  finishedAgeSeconds: 4,
  finishedCycle: 812,
  missedTicks: 3,
  onTimeTicks: 800,
  lateTicks: 9,
  tickAgeSeconds: 6,
  nodes: [],
};
const PLAN = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff';

let app: AppUnderTest | undefined;
const start = async (given: Given): Promise<AppUnderTest> => (app = await startApp(given));
afterEach(async () => {
  await app?.close();
  app = undefined;
});

const below = { read: () => Promise.resolve({ ...ROOT, feederId: 'feeder-a', parentId: 'substation' }) };
const BASE = '/api/feeders/feeder-a/control-loop';

describe('reading the loop of a feeder', () => {
  const rows = {
    read: (): Promise<LoopRecord> =>
      Promise.resolve({
        rootFeederId: 'substation',
        mode: 'automatic',
        intervalSeconds: 10,
        enabled: true,
        last: LAST,
      }),
    proposal: () => Promise.resolve(null),
  } as const;

  it("gives its root's rows and what the workflow says of itself", async () => {
    const { call } = await start({
      feeders: below,
      loops: rows,
      workflows: { loopStatus: () => Promise.resolve(STATUS) },
    });
    const answer = await call('GET', BASE, { as: 'viewer' });
    expect([answer.status, answer.body]).toEqual([
      200,
      {
        rootFeederId: 'substation',
        workflowId: 'control-loop/substation',
        temporalUrl: 'http://127.0.0.1:8233/namespaces/derms/workflows/control-loop%2Fsubstation',
        mode: 'automatic',
        intervalSeconds: 10,
        enabled: true,
        ok: true,
        last: LAST,
        proposal: null,
        workflow: STATUS,
        workflowUnavailable: null,
      },
    ]);
  });

  it('gives the rows alone, with the reason, while Temporal is away', async () => {
    const { call } = await start({
      feeders: below,
      loops: rows,
      workflows: {
        loopStatus: () => Promise.reject(new DermsError('TEMPORAL_UNAVAILABLE', 'it does not answer in time')),
      },
    });
    const { status, body } = await call('GET', BASE, { as: 'viewer' });
    expect([status, body.workflow, body.workflowUnavailable]).toEqual([200, null, 'it does not answer in time']);
  });
});

describe('an order to the loop', () => {
  const recorded = () => {
    const events: string[] = [];
    const orders: LoopOrder[] = [];
    const given: Given = {
      feeders: below,
      loops: {
        order: (order) => {
          events.push('written');
          orders.push(order);
          return Promise.resolve({ ...ROOT, ...order.change });
        },
        approve: ({ planId }) => {
          events.push('written');
          return Promise.resolve({ rootFeederId: 'substation', planId, approvedAt: '2026-05-01T12:00:00.000Z' });
        },
      },
      workflows: {
        wakeControlLoop: (root) => Promise.resolve(void events.push(`wake ${root}`)),
        stopControlLoop: (root) => Promise.resolve(void events.push(`stop ${root}`)),
        startControlLoop: (root) => Promise.resolve(void events.push(`start ${root}`)),
      },
    };
    return { events, orders, given };
  };

  it.each([
    ['mode', 'operator', { mode: 'manual' }, { mode: 'manual' }, 'wake substation'],
    ['interval', 'admin', { intervalSeconds: 5 }, { intervalSeconds: 5 }, 'wake substation'],
    ['stop', 'admin', undefined, { enabled: false }, 'stop substation'],
    ['start', 'admin', undefined, { enabled: true }, 'start substation'],
  ] as const)('%s is written first and then told', async (verb, as, body, change, message) => {
    const { events, orders, given } = recorded();
    const { call } = await start(given);
    const answer = await call('POST', `${BASE}/${verb}`, { as, body });
    expect([answer.status, answer.body]).toEqual([
      200,
      {
        rootFeederId: 'substation',
        mode: 'automatic',
        intervalSeconds: 10,
        enabled: true,
        ...change,
        temporalUrl: 'http://127.0.0.1:8233/namespaces/derms/workflows/control-loop%2Fsubstation',
      },
    ]);
    expect(events).toEqual(['written', message]);
    expect(orders).toEqual([expect.objectContaining({ feederId: 'feeder-a', action: `control-loop.${verb}`, change })]);
  });

  it('approves exactly the plan that is named', async () => {
    const { events, given } = recorded();
    const { call } = await start(given);
    const answer = await call('POST', `${BASE}/approve`, { as: 'operator', body: { planId: PLAN } });
    expect([answer.status, answer.body.planId, events]).toEqual([200, PLAN, ['written', 'wake substation']]);
  });

  it('is refused when another plan waits by now', async () => {
    const { call } = await start({ loops: { approve: () => Promise.reject(new DermsError('PLAN_NOT_FOUND', 'no')) } });
    const answer = await call('POST', `${BASE}/approve`, { as: 'operator', body: { planId: PLAN } });
    expect([answer.status, answer.body.code]).toEqual([404, 'PLAN_NOT_FOUND']);
  });

  it('wakes the loop and says so, or that none runs', async () => {
    const running = await start(recorded().given);
    expect((await running.call('POST', `${BASE}/wake`, { as: 'operator' })).status).toBe(202);
    expect(running.attempts).toEqual([
      expect.objectContaining({ action: 'control-loop.wake', subject: 'substation', outcome: 'intended' }),
      expect.objectContaining({ action: 'control-loop.wake', subject: 'substation', outcome: 'done' }),
    ]);
    await running.close();
    const none = await start({
      feeders: below,
      workflows: { wakeControlLoop: () => Promise.reject(new DermsError('CONTROL_LOOP_NOT_RUNNING', 'none')) },
    });
    const answer = await none.call('POST', `${BASE}/wake`, { as: 'operator' });
    expect([answer.status, answer.body.code]).toEqual([409, 'CONTROL_LOOP_NOT_RUNNING']);
  });

  it.each(['mode', 'interval', 'approve', 'stop', 'start', 'wake'])(
    '%s is refused before anything is written while Temporal is away',
    async (verb) => {
      const bodies: Record<string, object> = {
        mode: { mode: 'manual' },
        interval: { intervalSeconds: 5 },
        approve: { planId: PLAN },
      };
      const { call } = await start({ workflows: { unavailable: () => Promise.resolve('gone') } });
      const answer = await call('POST', `${BASE}/${verb}`, { as: 'admin', body: bodies[verb] });
      expect([answer.status, answer.body.code]).toEqual([503, 'TEMPORAL_UNAVAILABLE']);
    },
  );
});
