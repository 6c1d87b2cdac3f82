import type { DispatchAccepted, DispatchOrder } from '../../../db/dispatch-admission';
import type { DispatchRecord } from '../../../db/dispatch-record';
import { DermsError } from '../../../domain/errors';
import { startApp, type AppUnderTest, type Given } from './app-under-test';

const ID = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff';
const OLDER = '11111111-1111-4111-8111-111111111111';

const aDispatch = (given: Partial<DispatchRecord> = {}): DispatchRecord => ({
  dispatchId: ID,
  feederId: 'feeder-a',
  rootFeederId: 'substation',
  startsAt: '2026-05-01T17:00:00.000Z',
  endsAt: '2026-05-01T19:00:00.000Z',
  beginsAt: '2026-05-01T17:00:00.000Z',
  expiresAt: null,
  importLimitKw: 60,
  exportLimitKw: null,
  targetKw: null,
  primacy: 100,
  reason: 'heat wave',
  randomizeStartSeconds: 0,
  state: 'scheduled',
  requestedBy: 'operator',
  acceptedAt: '2026-05-01T12:00:00.000Z',
  baselineKw: null,
  supersededBy: null,
  revision: 1,
  ...given,
});

const accepted = (dispatch: DispatchRecord, given: Partial<DispatchAccepted> = {}): DispatchAccepted => ({
  outcome: 'accepted',
  dispatch,
  supersedes: [],
  warnings: [],
  repeated: false,
  open: true,
  ...given,
});

const BODY = {
  feederId: 'feeder-a',
  startsAt: '2026-05-01T19:00:00+02:00',
  endsAt: '2026-05-01T21:00:00+02:00',
  importLimitKw: 60,
  reason: 'heat wave',
};

/** Workflows that note what they are told. */
const listening = () => {
  const told: string[] = [];
  const note =
    (message: string) =>
    (...about: unknown[]) => {
      told.push([message, ...about.filter((word) => typeof word === 'string')].join(' '));
      return Promise.resolve();
    };
  return {
    told,
    workflows: {
      startDispatch: note('start-dispatch'),
      wakeControlLoop: note('wake'),
      tellDispatch: note('tell'),
    },
  };
};

let app: AppUnderTest | undefined;
const start = async (given: Given): Promise<AppUnderTest> => (app = await startApp(given));
afterEach(async () => {
  await app?.close();
  app = undefined;
});
const ask = (under: AppUnderTest, body: object = BODY, key = 'key-1') =>
  under.call('POST', '/api/dispatches', { as: 'operator', body, headers: { 'idempotency-key': key } });

describe('asking for a dispatch', () => {
  it('is answered with 202, where it is, and a link to its workflow', async () => {
    const { workflows, told } = listening();
    const orders: DispatchOrder[] = [];
    const under = await start({
      workflows,
      dispatches: {
        decide: (order) => {
          orders.push(order);
          return Promise.resolve(accepted(aDispatch(), { warnings: ['looser than its own'] }));
        },
      },
    });
    const answer = await ask(under);
    expect([answer.status, answer.headers.get('location')]).toEqual([202, `/api/dispatches/${ID}`]);
    expect(answer.body).toEqual({
      ...aDispatch(),
      supersedes: [],
      warnings: ['looser than its own'],
      temporalUrl: `http://127.0.0.1:8233/namespaces/derms/workflows/dispatch%2F${ID}`,
    });
    expect(orders).toEqual([
      expect.objectContaining({
        request: {
          feederId: 'feeder-a',
          startsAtMs: Date.UTC(2026, 4, 1, 17),
          endsAtMs: Date.UTC(2026, 4, 1, 19),
          expiresAtMs: null,
          importLimitKw: 60,
          exportLimitKw: null,
          targetKw: null,
          primacy: 100,
          reason: 'heat wave',
          randomizeStartSeconds: 0,
        },
        startDelayMs: 0,
        validateOnly: false,
        actor: expect.objectContaining({ user: 'operator', role: 'operator', address: '127.0.0.1' }),
      }),
    ]);
    expect(told).toEqual([`start-dispatch ${ID} substation feeder-a: import ≤ 60 kW, asked by operator: heat wave`]);
  });

  it('wakes the loop at once when it begins now, and tells those it closes', async () => {
    const { workflows, told } = listening();
    const now = aDispatch({ beginsAt: '2026-05-01T12:00:00.400Z' });
    const under = await start({
      workflows,
      dispatches: { decide: () => Promise.resolve(accepted(now, { supersedes: [OLDER] })) },
    });
    const answer = await ask(under);
    expect(answer.body.supersedes).toEqual([OLDER]);
    expect(told.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      `start-dispatch ${ID}`,
      'wake substation',
      `tell ${OLDER}`,
    ]);
  });

  it('has one id for one principal and key, whatever replica it reaches', async () => {
    const ids: string[] = [];
    const digests: string[] = [];
    const decide = (order: DispatchOrder) => {
      ids.push(order.dispatchId);
      digests.push(order.digest);
      return Promise.resolve(accepted(aDispatch(), { open: false }));
    };
    const under = await start({ dispatches: { decide } });
    await ask(under);
    await ask(under, { ...BODY, startsAt: '2026-05-01T17:00:00Z', endsAt: '2026-05-01T19:00:00.000Z' });
    await ask(under, { ...BODY, importLimitKw: 61 });
    await ask(under, BODY, 'key-2');
    expect(ids[0]).toBe('a9c8cf5e-64d3-5353-b301-993532633b5c');
    expect([ids[1] === ids[0], ids[2] === ids[0], ids[3] === ids[0]]).toEqual([true, true, false]);
    expect([digests[1] === digests[0], digests[2] === digests[0], digests[3] === digests[0]]).toEqual([
      true,
      false,
      true,
    ]);
  });

  it('draws the delay of a randomised start once, inside its bound', async () => {
    const delays: number[] = [];
    const under = await start({
      dispatches: {
        decide: (order) => {
          delays.push(order.startDelayMs);
          return Promise.resolve(accepted(aDispatch(), { open: false }));
        },
      },
    });
    for (let round = 0; round < 20; round += 1) await ask(under, { ...BODY, randomizeStartSeconds: 60 });
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...delays)).toBeLessThanOrEqual(60_000);
    expect(new Set(delays).size).toBeGreaterThan(1);
  });

  it('a repetition is answered as before, and says so', async () => {
    const { workflows, told } = listening();
    const under = await start({
      workflows,
      dispatches: { decide: () => Promise.resolve(accepted(aDispatch(), { repeated: true })) },
    });
    const answer = await ask(under);
    expect([answer.status, answer.headers.get('idempotent-replayed')]).toEqual([202, 'true']);
    expect(told).toHaveLength(1); // whoever died between decision and message is made up for
  });

  it('only to see what would come of it stores nothing, starts nothing and needs no Temporal', async () => {
    const under = await start({
      workflows: { unavailable: () => Promise.resolve('it hangs') },
      dispatches: {
        decide: ({ validateOnly }) =>
          Promise.resolve(accepted(aDispatch({ state: validateOnly ? 'requested' : 'scheduled' }), { open: false })),
      },
    });
    const answer = await under.call('POST', '/api/dispatches?validateOnly=true', {
      as: 'operator',
      body: BODY,
      headers: { 'idempotency-key': 'k' },
    });
    expect([answer.status, answer.body.state, answer.body.temporalUrl]).toEqual([200, 'requested', null]);
  });

  it('is refused before anything is written while Temporal is away', async () => {
    const under = await start({ workflows: { unavailable: () => Promise.resolve('it hangs') } });
    const answer = await ask(under);
    expect([answer.status, answer.body.code, answer.body.detail]).toEqual([
      503,
      'TEMPORAL_UNAVAILABLE',
      'Temporal does not answer: it hangs.',
    ]);
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(under.attempts).toEqual([
      expect.objectContaining({ action: 'dispatch.request', subject: 'feeder-a', outcome: 'refused' }),
    ]);
  });

  it('stands though the workflow could not be told: that is counted, and the supervisor makes up for it', async () => {
    const under = await start({
      workflows: { startDispatch: () => Promise.reject(new DermsError('TEMPORAL_UNAVAILABLE', 'gone')) },
      dispatches: { decide: () => Promise.resolve(accepted(aDispatch())) },
    });
    expect((await ask(under)).status).toBe(202);
    expect((await under.call('GET', '/metrics')).text).toContain(
      'derms_workflow_message_failures_total{message="start-dispatch"} 1',
    );
  });

  it('is refused with what it collides with, and the attempt is kept', async () => {
    const under = await start({
      dispatches: {
        decide: () =>
          Promise.resolve({
            outcome: 'refused',
            code: 'DISPATCH_CONFLICT',
            message: 'nothing is left',
            faults: [{ pointer: '/importLimitKw', message: 'nothing is left' }],
            conflictsWith: [OLDER],
          }),
      },
    });
    const answer = await ask(under);
    expect(answer.status).toBe(409);
    expect(answer.body).toMatchObject({
      code: 'DISPATCH_CONFLICT',
      detail: 'nothing is left',
      errors: [{ pointer: '/importLimitKw', message: 'nothing is left' }],
      conflictsWith: [OLDER],
    });
    expect(under.attempts).toEqual([
      expect.objectContaining({
        user: 'operator',
        action: 'dispatch.request',
        subject: 'feeder-a',
        outcome: 'refused',
        detail: expect.objectContaining({ code: 'DISPATCH_CONFLICT' }),
      }),
    ]);
  });

  it('needs an Idempotency-Key', async () => {
    const under = await start({});
    const answer = await under.call('POST', '/api/dispatches', { as: 'operator', body: BODY });
    expect([answer.status, answer.body.code]).toEqual([400, 'IDEMPOTENCY_KEY_MISSING']);
  });

  it.each([
    [{ startsAt: '2026-05-01T17:00:00' }, '/startsAt', 'is not a time with its zone'],
    [{ endsAt: '2026-05-01' }, '/endsAt', 'is not a time with its zone'],
    [{ endsAt: '2026-02-30T00:00:00Z' }, '/endsAt', 'is not a time with its zone'],
    [{ endsAt: '9999-05-01T00:00:00Z' }, '/endsAt', 'is not in this century'],
    [{ importLimitKw: -1 }, '/importLimitKw', 'is negative; limits carry no sign'],
    [{ importLimitKw: '60' }, '/importLimitKw', 'expected number'],
    [{ exportLimitKw: -0.5 }, '/exportLimitKw', 'is negative; limits carry no sign'],
    [{ feederId: 'a/b' }, '/feederId', 'is not an id'],
    [{ primacy: 256 }, '/primacy', '<=255'],
    [{ reason: '' }, '/reason', '>=1'],
    [{ reason: 'two\u0000halves' }, '/reason', 'has control characters'],
    [{ reason: 'half a \ud83d' }, '/reason', 'has control characters'],
    [{ colour: 'red' }, '/colour', 'is not a known field'],
  ])('is refused with a pointer to the field: %j', async (change, pointer, message) => {
    const under = await start({});
    const answer = await ask(under, { ...BODY, ...change });
    expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
    expect(answer.body.errors).toEqual([{ pointer, message: expect.stringContaining(message) }]);
  });
});

describe('cancelling a dispatch', () => {
  const T = (ms: number): string => `2026-05-01T18:00:00.${String(ms).padStart(3, '0')}000Z`;
  const cancelled = aDispatch({ state: 'cancelled', revision: 3 });
  const cancel = (under: AppUnderTest) =>
    under.call('POST', `/api/dispatches/${ID}/cancel`, { as: 'operator', body: { reason: 'rain' } });

  it('that has not begun is in effect at once', async () => {
    const { workflows, told } = listening();
    const under = await start({
      workflows,
      dispatches: {
        cancel: () => Promise.resolve({ dispatch: cancelled, wasInForce: false }),
        clock: () => Promise.resolve(T(0)),
      },
    });
    const answer = await cancel(under);
    expect([answer.status, answer.body.state, answer.body.effectiveAt]).toEqual([200, 'cancelled', T(0)]);
    expect(told).toEqual([`tell ${ID}`]);
  });

  it('is answered when a plan that was made afterwards is carried out, not before', async () => {
    const { workflows, told } = listening();
    const seen = [
      { plannedAt: T(-1 + 1), finishedAt: T(0) }, // planned as it was cancelled: may not have seen it
      { plannedAt: T(200), finishedAt: T(100) }, // an older plan's publishing ended late
      { plannedAt: T(200), finishedAt: T(350) },
    ];
    const under = await start({
      workflows,
      dispatches: {
        cancel: () => Promise.resolve({ dispatch: cancelled, wasInForce: true }),
        clock: () => Promise.resolve(T(50)),
        progress: () => Promise.resolve(seen.shift() ?? { plannedAt: null, finishedAt: null }),
      },
    });
    const answer = await cancel(under);
    expect([answer.status, answer.body.effectiveAt, answer.body.unconfirmed]).toEqual([200, T(350), null]);
    expect(seen).toEqual([]);
    expect(told).toEqual([`tell ${ID}`, 'wake substation']);
  });

  it('is answered with 202 and the reason when the loop does not confirm it in time', async () => {
    const { workflows } = listening();
    const under = await start({
      workflows,
      settings: { confirmCancelWithinMs: 300 },
      dispatches: {
        cancel: () => Promise.resolve({ dispatch: cancelled, wasInForce: true }),
        clock: () => Promise.resolve(T(50)),
        progress: () => Promise.resolve({ plannedAt: T(10), finishedAt: T(20) }),
      },
    });
    const answer = await cancel(under);
    expect([answer.status, answer.body.effectiveAt, answer.body.unconfirmed]).toEqual([
      202,
      null,
      'the control loop of substation has not planned within 0.3 s',
    ]);
  });

  it('is refused when it is over already', async () => {
    const under = await start({
      dispatches: { cancel: () => Promise.reject(new DermsError('DISPATCH_CLOSED', 'is completed already')) },
    });
    const answer = await cancel(under);
    expect([answer.status, answer.body.code]).toEqual([409, 'DISPATCH_CLOSED']);
    expect(under.attempts).toEqual([
      expect.objectContaining({ action: 'dispatch.cancel', subject: ID, outcome: 'refused' }),
    ]);
  });
});

describe('the list of dispatches', () => {
  it('is read page by page', async () => {
    const filters: unknown[] = [];
    const under = await start({
      dispatches: {
        list: (filter) => {
          filters.push(filter);
          return Promise.resolve([
            { dispatch: aDispatch(), exactAcceptedAt: '2026-05-01T12:00:00.123456Z' },
            { dispatch: aDispatch({ dispatchId: OLDER }), exactAcceptedAt: '2026-05-01T11:00:00.000000Z' },
          ]);
        },
      },
    });
    const first = await under.call('GET', '/api/dispatches?limit=1&open=true&feederId=feeder-a', { as: 'viewer' });
    expect(first.body.items.map(({ dispatchId }) => dispatchId)).toEqual([ID]);
    await under.call('GET', `/api/dispatches?limit=5&cursor=${String(first.body.nextCursor)}`, { as: 'viewer' });
    expect(filters).toEqual([
      { feederId: 'feeder-a', state: null, openOnly: true, before: null, limit: 2 },
      {
        feederId: null,
        state: null,
        openOnly: false,
        before: { acceptedAt: '2026-05-01T12:00:00.123456Z', dispatchId: ID },
        limit: 6,
      },
    ]);
  });
});
