import { createPlanningTurns } from '../../../api/planning/turns';
import type { DeviceRecord } from '../../../db/device-record';
import type { FeederRecord } from '../../../db/feeders';
import type { TreeSnapshot } from '../../../domain/fleet';
import { aBattery, aDispatch, aFeeder, anEv, aReading, aSnapshot, several } from '../domain/builders';
import { startApp, type AppUnderTest, type Called, type Given } from './app-under-test';

const tree = aSnapshot({
  feeders: [aFeeder({ importLimitKw: 30 })],
  devices: [anEv(), aBattery()],
  dispatches: [aDispatch({ dispatchId: '6f9619ff-8b86-4d01-b42d-00cf4fc964ff', importLimitKw: 20 })],
});

let app: AppUnderTest;
afterEach(() => app.close());

const start = async (snapshot: TreeSnapshot = tree, given: Given = {}): Promise<AppUnderTest> => {
  app = await startApp({
    feeders: { read: (feederId) => Promise.resolve({ feederId, rootFeederId: 'feeder' } as FeederRecord) },
    devices: { read: (deviceId) => Promise.resolve({ deviceId, rootFeederId: 'feeder' } as DeviceRecord) },
    plans: { present: () => Promise.resolve(snapshot) },
    ...given,
  });
  return app;
};
const whatIf = (body: unknown): Promise<Called> =>
  app.call('POST', '/api/feeders/feeder/plan', {
    as: 'viewer',
    ...(typeof body === 'string' ? { rawBody: body } : { body }),
  });

describe('what if', () => {
  it('answers a viewer with the plan, its reasons and the difference to what is in force', async () => {
    await start();
    const answer = await whatIf({ feeders: [{ feederId: 'feeder', importLimitKw: 10 }] });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      basis: { kind: 'now' },
      replay: null,
      nodes: [{ feederId: 'feeder', high: { kw: 10, source: { kind: 'static' } }, binding: 'import' }],
      devices: [
        { deviceId: 'battery', targetKw: -10, inForceKw: 0, differenceKw: -10 },
        { deviceId: 'ev', targetKw: 10, inForceKw: 0, differenceKw: 10 },
      ],
    });
  });

  it.each`
    what                          | body                                                               | code                    | detail
    ${'a feeder of another tree'} | ${{ feeders: [{ feederId: 'nowhere' }] }}                          | ${'FEEDER_NOT_FOUND'}   | ${'nowhere is not in the tree that would be planned.'}
    ${'a device of another tree'} | ${{ devices: [{ deviceId: 'nobody' }] }}                           | ${'DEVICE_NOT_FOUND'}   | ${'nobody is not in the tree that would be planned.'}
    ${'a dispatch elsewhere'}     | ${{ dispatches: [{ feederId: 'nowhere', importLimitKw: 1 }] }}     | ${'FEEDER_NOT_FOUND'}   | ${'nowhere is not in the tree that would be planned.'}
    ${'a dispatch that is not'}   | ${{ withoutDispatches: ['6f9619ff-8b86-4d01-b42d-00cf4fc964f0'] }} | ${'DISPATCH_NOT_FOUND'} | ${'6f9619ff-8b86-4d01-b42d-00cf4fc964f0 is not in the tree that would be planned.'}
  `('knows no $what', async ({ body, code, detail }) => {
    await start();
    const answer = await whatIf(body);
    expect([answer.status, answer.body.code, answer.body.detail]).toEqual([404, code, detail]);
  });

  it.each`
    what                      | body                                                                         | pointer
    ${'a negative limit'}     | ${{ feeders: [{ feederId: 'feeder', importLimitKw: -1 }] }}                  | ${'/feeders/0/importLimitKw'}
    ${'a negative weight'}    | ${{ devices: [{ deviceId: 'ev', weight: -1 }] }}                             | ${'/devices/0/weight'}
    ${'a soc over 1'}         | ${{ devices: [{ deviceId: 'ev', soc: 1.5 }] }}                               | ${'/devices/0/soc'}
    ${'a power without end'}  | ${'{"devices":[{"deviceId":"ev","powerKw":1e999}]}'}                         | ${'/devices/0/powerKw'}
    ${'a power in words'}     | ${{ devices: [{ deviceId: 'ev', powerKw: 'much' }] }}                        | ${'/devices/0/powerKw'}
    ${'a field nobody knows'} | ${{ devices: [{ deviceId: 'ev', volts: 230 }] }}                             | ${'/devices/0/volts'}
    ${'an answer too long'}   | ${{ limit: 10_001 }}                                                         | ${'/limit'}
    ${'too many changes'}     | ${{ devices: several(1_001, anEv()).map(({ deviceId }) => ({ deviceId })) }} | ${'/devices'}
  `('refuses $what and points at it', async ({ body, pointer }) => {
    await start();
    const answer = await whatIf(body);
    expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
    expect(answer.body.errors.map((fault) => fault.pointer)).toContain(pointer);
  });

  it.each`
    what                             | snapshot                                                                                                                     | code                     | detail
    ${'feeders in a circle'}         | ${aSnapshot({ feeders: [aFeeder(), aFeeder({ feederId: 'a', parentId: 'b' }), aFeeder({ feederId: 'b', parentId: 'a' })] })} | ${'FEEDER_TREE_INVALID'} | ${'feeders that hang in a circle: a, b'}
    ${'a feeder without its parent'} | ${aSnapshot({ feeders: [aFeeder(), aFeeder({ feederId: 'a', parentId: 'gone' })] })}                                         | ${'FEEDER_TREE_INVALID'} | ${'feeder a hangs on gone, which is not in the tree'}
    ${'a device on no feeder'}       | ${aSnapshot({ devices: [anEv({ feederId: 'gone' })] })}                                                                      | ${'DEVICE_INVALID'}      | ${'device ev hangs on feeder gone, which is not in the tree'}
    ${'a weight below 0'}            | ${aSnapshot({ devices: [anEv({ weight: -1 })] })}                                                                            | ${'DEVICE_INVALID'}      | ${'device ev: weight is -1, below 0'}
    ${'a reading that is no number'} | ${aSnapshot({ devices: [anEv({ reading: aReading({ powerKw: NaN }) })] })}                                                   | ${'DEVICE_INVALID'}      | ${'device ev: reading.powerKw is NaN, not a finite number'}
  `('names what is wrong in a tree with $what', async ({ snapshot, code, detail }) => {
    await start(snapshot as TreeSnapshot);
    const answer = await whatIf({});
    expect([answer.status, answer.body.code, answer.body.detail]).toEqual([422, code, detail]);
  });
});

it('turns away the plan that finds the line full, and says when to come again', async () => {
  let present: (snapshot: TreeSnapshot) => void = () => undefined;
  const read = new Promise<TreeSnapshot>((resolve) => {
    present = resolve;
  });
  await start(tree, {
    plans: { present: () => read, cycle: () => Promise.reject(new Error('not asked')) },
    planning: createPlanningTurns({ mostWaiting: 1, waitMs: 5_000 }),
  });
  const asked = [whatIf({}), whatIf({}), whatIf({})];
  const first = await Promise.race(asked);
  expect([first.status, first.body.code, first.headers.get('retry-after')]).toEqual([429, 'TOO_MANY_REQUESTS', '1']);
  for (const path of ['/api/devices/ev/why', '/api/feeders/feeder/cycles/latest']) {
    expect((await app.call('GET', path, { as: 'viewer' })).status).toBe(429);
  }
  present(tree);
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  expect(statuses.sort()).toEqual([200, 200, 429]);
});

it('answers health within a second while plans of the largest trees are made', async () => {
  const large = aSnapshot({
    feeders: [
      aFeeder({ importLimitKw: 100_000 }),
      aFeeder({ feederId: 'leaf', parentId: 'feeder', importLimitKw: 30_000 }),
    ],
    devices: several(10_000, anEv({ feederId: 'leaf', maxImportKw: 16, minImportKw: 6 })),
  });
  await start(large, {
    ...{ plans: { present: () => Promise.resolve(large) }, settings: { requestTimeoutMs: 30_000 } },
    planning: createPlanningTurns({ mostWaiting: 8, waitMs: 30_000 }),
  });
  await whatIf({ limit: 1 }); // compiled by now, as in a process that has run for a while
  const unfinished = new Set(Array.from({ length: 4 }, () => whatIf({ limit: 1 })));
  const statuses: number[] = [];
  for (const asked of unfinished) {
    void asked.then(({ status }) => {
      statuses.push(status);
      unfinished.delete(asked);
    });
  }
  let longestMs = 0; // of this process's own time, so that other work on the machine does not count
  while (unfinished.size > 0) {
    const before = process.cpuUsage();
    expect((await app.call('GET', '/api/ready')).status).toBe(200);
    const { user, system } = process.cpuUsage(before);
    longestMs = Math.max(longestMs, (user + system) / 1_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(statuses).toEqual([200, 200, 200, 200]);
  expect(longestMs).toBeLessThan(1_000);
});
