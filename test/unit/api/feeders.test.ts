import { badness, feederViews, type FleetPicture } from '../../../api/feeder-view';
import type { LoopRecord } from '../../../db/control-loop-reads';
import type { FeederRecord, MeteredFeeder } from '../../../db/feeders';
import type { NodePlan } from '../../../domain/plan';
import { DermsError } from '../../../domain/errors';
import { startApp, type AppUnderTest, type Called, type Given } from './app-under-test';

const aRecord = (feederId: string, given: Partial<FeederRecord> = {}): FeederRecord => ({
  feederId,
  parentId: null,
  rootFeederId: feederId,
  name: null,
  importLimitKw: 100,
  exportLimitKw: 50,
  baseLoadKw: 0,
  mode: 'automatic',
  intervalSeconds: 10,
  enabled: true,
  origin: 'registry',
  revision: 3,
  updatedAt: '2026-05-01T12:00:00.000Z',
  ...given,
});
const aFeeder = (feederId: string, flowKw: number | null, given: Partial<FeederRecord> = {}): MeteredFeeder => ({
  ...aRecord(feederId, given),
  meter: flowKw === null ? null : { flowKw, sampledAt: '2026-05-01T12:00:00.000Z', ageSeconds: 2 },
});
const aNode = (feederId: string, given: Partial<NodePlan> = {}): NodePlan => ({
  feederId,
  high: { kw: 100, source: { kind: 'static' } },
  low: { kw: -50, source: { kind: 'static' } },
  claims: [],
  measuredKw: null,
  plannedHighKw: 70,
  plannedLowKw: 60,
  uncontrolledHighKw: 0,
  uncontrolledLowKw: 0,
  meteredUncontrolledKw: null,
  meterStale: false,
  binding: 'none',
  missingKw: 0,
  ...given,
});
const aLoop = (rootFeederId: string, finishedAgeSeconds: number | null, nodes: NodePlan[] = []): LoopRecord => ({
  rootFeederId,
  mode: 'automatic',
  intervalSeconds: 10,
  enabled: true,
  last: {
    chainId: '6f9619ff-8b86-4d01-b42d-00cf4fc964ff',
    chainStartedAt: '2026-05-01T11:00:00.000Z',
    cycle: 812,
    planId: null,
    tickAt: null,
    plannedAt: null,
    finishedAt: finishedAgeSeconds === null ? null : '2026-05-01T12:00:00.000Z',
    finishedAgeSeconds,
    finishedCycle: null,
    missedTicks: 0,
    onTimeTicks: 0,
    lateTicks: 0,
    tickAgeSeconds: null,
    nodes,
  },
});
const counts = (feederId: string, rootFeederId: string, offline: number) => ({
  ...{ feederId, rootFeederId, total: 10, online: 10 - offline, stale: 0, offline, notFollowing: 1 },
});
const options = { staleSeconds: 30, loopUrl: () => null };

describe('the view of a feeder', () => {
  const picture: FleetPicture = {
    feeders: [
      aFeeder('substation', 80),
      aFeeder('feeder-a', 55, { parentId: 'substation', rootFeederId: 'substation' }),
    ],
    loops: [
      aLoop('substation', 4, [
        aNode('feeder-a', { high: { kw: 60, source: { kind: 'dispatch', dispatchId: 'd-1' } }, binding: 'import' }),
      ]),
    ],
    counts: [counts('substation', 'substation', 0), counts('feeder-a', 'substation', 2)],
    dispatches: [
      {
        dispatchId: 'd-1',
        feederId: 'feeder-a',
        importLimitKw: 60,
        exportLimitKw: null,
        targetKw: null,
        endsAt: '2026-05-01T19:00:00.000Z',
      },
    ],
  };
  const [substation, feederA] = feederViews(picture, options);

  it('shows the limit in force and whose it is, and how far the flow may still move', () => {
    expect(feederA).toMatchObject({
      limitsInForce: { high: { kw: 60, source: { kind: 'dispatch', dispatchId: 'd-1' } }, low: { kw: -50 } },
      headroom: { importKw: 5, exportKw: 105 },
      binding: 'import',
      activeDispatches: [{ dispatchId: 'd-1', importLimitKw: 60 }],
    });
  });

  it('falls back to its own limits before the first plan', () => {
    expect(substation).toMatchObject({
      limitsInForce: { high: { kw: 100, source: { kind: 'static' } }, low: { kw: -50, source: { kind: 'static' } } },
      planned: null,
      activeDispatches: [],
    });
  });

  it('counts the devices of everything below', () => {
    expect(substation?.devices).toEqual({ total: 20, online: 18, stale: 0, offline: 2, notFollowing: 2 });
    expect(feederA?.devices).toEqual({ total: 10, online: 8, stale: 0, offline: 2, notFollowing: 1 });
  });

  it("carries the last cycle of its root's loop", () => {
    expect(feederA?.lastCycle).toEqual({
      cycle: 812,
      finishedAt: '2026-05-01T12:00:00.000Z',
      ageSeconds: 4,
      ok: true,
    });
  });
});

describe('worst first', () => {
  const scoreOf = (feeder: MeteredFeeder, loop: LoopRecord): number => {
    const [view] = feederViews({ feeders: [feeder], loops: [loop], counts: [], dispatches: [] }, options);
    if (view === undefined) throw new Error('one feeder, one view');
    return badness(view);
  };

  it.each`
    what                                    | feeder                                   | loop                                              | score
    ${'far over its import limit'}          | ${aFeeder('f', 130)}                     | ${aLoop('f', 4)}                                  | ${1030}
    ${'over its export limit'}              | ${aFeeder('f', -55)}                     | ${aLoop('f', 4)}                                  | ${1005}
    ${'not to be held by any plan'}         | ${aFeeder('f', 90)}                      | ${aLoop('f', 4, [aNode('f', { missingKw: 12 })])} | ${1012}
    ${'a loop that stands still'}           | ${aFeeder('f', 50)}                      | ${aLoop('f', 31)}                                 | ${100.5}
    ${'a loop that never finished a cycle'} | ${aFeeder('f', null)}                    | ${aLoop('f', null)}                               | ${100}
    ${'near its limit'}                     | ${aFeeder('f', 95)}                      | ${aLoop('f', 4)}                                  | ${0.95}
    ${'exporting half of what it may'}      | ${aFeeder('f', -25)}                     | ${aLoop('f', 4)}                                  | ${0.5}
    ${'a limit of nothing, used'}           | ${aFeeder('f', 0, { importLimitKw: 0 })} | ${aLoop('f', 4)}                                  | ${0}
    ${'stopped: nobody expects a cycle'}    | ${aFeeder('f', 10, { enabled: false })}  | ${{ ...aLoop('f', 9_999), enabled: false }}       | ${0.1}
  `('$what scores $score', ({ feeder, loop, score }: { feeder: MeteredFeeder; loop: LoopRecord; score: number }) => {
    expect(scoreOf(feeder, loop)).toBe(score);
  });
});

describe('the routes of feeders', () => {
  let app: AppUnderTest | undefined;
  const start = async (given: Given): Promise<AppUnderTest> => (app = await startApp(given));
  afterEach(async () => {
    await app?.close();
    app = undefined;
  });
  const three = {
    loops: [],
    counts: [],
    dispatches: [],
    feeders: [aFeeder('a', 10), aFeeder('b', 130), aFeeder('c', 90)],
  };

  it('list them worst first, page by page', async () => {
    const { call } = await start({ feeders: { picture: () => Promise.resolve(three) } });
    const first = await call('GET', '/api/feeders?limit=2', { as: 'viewer' });
    const second = await call('GET', `/api/feeders?limit=2&cursor=${String(first.body.nextCursor)}`, { as: 'viewer' });
    const ids = (page: Called) => page.body.items.map(({ feederId }) => feederId);
    expect([ids(first), ids(second), second.body.nextCursor]).toEqual([['b', 'c'], ['a'], null]);
  });

  it('show one with its revision as ETag', async () => {
    const { call } = await start({
      feeders: { read: () => Promise.resolve(aRecord('a')), picture: () => Promise.resolve(three) },
    });
    const answer = await call('GET', '/api/feeders/a', { as: 'viewer' });
    expect([answer.status, answer.headers.get('etag'), answer.body.flow.kw]).toEqual([
      200,
      expect.stringMatching(/^"3-[\w-]{16}"$/),
      10,
    ]);
  });

  it('change only what is named, against the revision that was seen, and wake the loop', async () => {
    const told: string[] = [];
    const changes: unknown[] = [];
    const { call } = await start({
      feeders: {
        patch: (change) => {
          changes.push(change);
          return Promise.resolve({
            created: false,
            feeder: aRecord('a', { parentId: 's', rootFeederId: 's' }),
            rootsTouched: ['s', 'old'],
          });
        },
      },
      workflows: { wakeControlLoop: (root) => Promise.resolve(void told.push(root)) },
    });
    const answer = await call('PATCH', '/api/feeders/a', {
      as: 'admin',
      body: { importLimitKw: 80, name: null },
      headers: { 'if-match': '"2"' },
    });
    expect([answer.status, answer.headers.get('etag'), told]).toEqual([200, '"3"', ['s', 'old']]);
    expect(changes).toEqual([
      expect.objectContaining({
        feederId: 'a',
        fields: { importLimitKw: 80, name: null },
        preconditions: { ifMatch: [2], ifNoneMatch: null },
      }),
    ]);
  });

  it.each`
    ifMatch                             | seen
    ${'"2-Zm9v"'}                       | ${[2]}
    ${'2'}                              | ${[2]}
    ${'"1-YmFy", "2-Zm9v" ,W/"3", "x"'} | ${[1, 2]}
    ${'W/"2"'}                          | ${[]}
    ${'"of-another-server"'}            | ${[]}
    ${'*'}                              | ${'any'}
  `(
    'take $ifMatch as If-Match and as If-None-Match for $seen',
    async ({ ifMatch, seen }: { ifMatch: string; seen: unknown }) => {
      const preconditions: unknown[] = [];
      const { call } = await start({
        feeders: {
          patch: (change) => {
            preconditions.push(change.preconditions);
            return Promise.resolve({ created: false, feeder: aRecord('a'), rootsTouched: [] });
          },
        },
      });
      for (const name of ['if-match', 'if-none-match'])
        await call('PATCH', '/api/feeders/a', { as: 'admin', body: { name: 'A' }, headers: { [name]: ifMatch } });
      expect(preconditions).toEqual([
        { ifMatch: seen, ifNoneMatch: null },
        { ifMatch: null, ifNoneMatch: seen },
      ]);
    },
  );

  it.each(['"2', 'two', '*, "2"', '"2" "3"', ''])('refuse If-Match: %s', async (ifMatch) => {
    const { call } = await start({});
    const answer = await call('PATCH', '/api/feeders/a', {
      as: 'admin',
      body: { name: 'A' },
      headers: { 'if-match': ifMatch },
    });
    expect([answer.status, answer.body.errors]).toEqual([
      422,
      [{ pointer: '/header/if-match', message: expect.stringContaining('is no list of ETags') }],
    ]);
  });

  it('make one, and start the loop of a new root', async () => {
    const started: string[] = [];
    const { call } = await start({
      feeders: { put: () => Promise.resolve({ created: true, feeder: aRecord('a'), rootsTouched: ['a'] }) },
      workflows: {
        startControlLoop: (root) => Promise.resolve(void started.push(root)),
        wakeControlLoop: () => Promise.reject(new DermsError('CONTROL_LOOP_NOT_RUNNING', 'not yet')),
      },
    });
    const body = { importLimitKw: 100, exportLimitKw: 50 };
    const answer = await call('PUT', '/api/feeders/a', { as: 'admin', body });
    expect([answer.status, started]).toEqual([201, ['a']]);
    expect((await call('GET', '/metrics')).text).toContain('derms_workflow_message_failures_total{message="wake"} 0');
  });

  it.each([
    ['REVISION_MISSING', 428],
    ['REVISION_CONFLICT', 412],
    ['FEEDER_TREE_INVALID', 422],
  ] as const)('refuse with %s as %i', async (code, status) => {
    const { call } = await start({ feeders: { patch: () => Promise.reject(new DermsError(code, 'no')) } });
    expect((await call('PATCH', '/api/feeders/a', { as: 'admin', body: { name: 'A' } })).status).toBe(status);
  });

  it.each([
    [{}, 'names nothing to change', ''],
    [{ mode: 'manual' }, 'is not a known field', '/mode'],
    [{ importLimitKw: -1 }, '>=0', '/importLimitKw'],
  ])('refuse the change %j', async (body, message, pointer) => {
    const { call } = await start({});
    const answer = await call('PATCH', '/api/feeders/a', { as: 'admin', body, headers: { 'if-match': '1' } });
    expect(answer.body.errors).toEqual([{ pointer, message: expect.stringContaining(message) }]);
  });
});
