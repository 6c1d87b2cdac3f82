import { randomUUID } from 'node:crypto';
import { listAudit } from '../../../db/audit';
import { decideDispatch, type DispatchAccepted, type DispatchOrder } from '../../../db/dispatch-admission';
import {
  cancelDispatch,
  listDispatches,
  listDispatchesInForce,
  readClock,
  readDispatch,
  readLoopProgress,
} from '../../../db/dispatches';
import { addFeeder } from '../../support/fleet-rows';
import { createTestDatabase, type TestDatabase } from '../../support/servers';
import { ANNA } from './people-writes';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
  await addFeeder(database.db, 'north', { importLimitKw: 100 });
  await addFeeder(database.db, 'a', { parentId: 'north', rootId: 'north', importLimitKw: 80 });
});
afterEach(() => database.drop());

const HOUR_MS = 3_600_000;
const anOrder = (
  request: Partial<DispatchOrder['request']> = {},
  given: Partial<Omit<DispatchOrder, 'request'>> = {},
): DispatchOrder => ({
  dispatchId: randomUUID(),
  request: {
    feederId: 'a',
    startsAtMs: null,
    endsAtMs: Date.now() + HOUR_MS,
    importLimitKw: 60,
    exportLimitKw: null,
    targetKw: null,
    primacy: 100,
    reason: 'heat wave',
    randomizeStartSeconds: 0,
    expiresAtMs: null,
    ...request,
  },
  startDelayMs: 0,
  digest: 'digest',
  validateOnly: false,
  actor: ANNA,
  ...given,
});
const accept = async (order: DispatchOrder): Promise<DispatchAccepted> => {
  const decided = await decideDispatch(database.db, order);
  if (decided.outcome === 'refused') throw new Error(decided.message);
  return decided;
};
const NEWEST = { feederId: null, state: null, openOnly: false, before: null, limit: 50 };

describe('accepting a dispatch', () => {
  it('stores it with its history and audit row', async () => {
    const order = anOrder(
      { startsAtMs: Date.now() + HOUR_MS, endsAtMs: Date.now() + 2 * HOUR_MS },
      { startDelayMs: 5_000 },
    );
    const { dispatch } = await accept(order);
    const story = await readDispatch(database.db, order.dispatchId);
    expect(story).toMatchObject({ ...dispatch, state: 'scheduled', rootFeederId: 'north', requestedBy: 'anna' });
    expect(Date.parse(story.beginsAt) - Date.parse(story.startsAt)).toBe(5_000);
    expect(story.history).toEqual([
      { revision: 1, at: dispatch.acceptedAt, state: 'scheduled', actor: 'anna', reason: 'heat wave' },
    ]);
    expect(story.measurements).toMatchObject({ cycles: 0, lastMeasuredKw: null });
    const [audit] = await listAudit(database.db, {
      actor: 'anna',
      action: null,
      subject: order.dispatchId,
      beforeId: null,
      limit: 2,
    });
    expect(audit).toMatchObject({
      action: 'dispatch.request',
      outcome: 'done',
      detail: { dispatch: { importLimitKw: 60 } },
    });
  });

  it('begins now when no start is given, or one in the past', async () => {
    for (const startsAtMs of [null, Date.now() - HOUR_MS]) {
      const { dispatch } = await accept(anOrder({ startsAtMs }));
      expect(dispatch.beginsAt).toBe(dispatch.acceptedAt);
    }
    expect(await listDispatchesInForce(database.db, 'north')).toHaveLength(2);
  });

  it('only to see what would come of it stores nothing but the attempt', async () => {
    const { dispatch, open } = await accept(anOrder({}, { validateOnly: true }));
    expect([dispatch.state, open, await listDispatches(database.db, NEWEST)]).toEqual(['requested', false, []]);
    const [audit] = await listAudit(database.db, {
      actor: null,
      action: 'dispatch.request',
      subject: null,
      beforeId: null,
      limit: 2,
    });
    expect(audit?.outcome).toBe('validated');
  });

  it('supersedes what it excludes with a lower primacy number', async () => {
    const older = anOrder({ targetKw: 10, importLimitKw: null });
    await accept(older);
    const newer = anOrder({ targetKw: 20, importLimitKw: null, primacy: 10 });
    expect((await accept(newer)).supersedes).toEqual([older.dispatchId]);
    const story = await readDispatch(database.db, older.dispatchId);
    expect([story.state, story.supersededBy, story.history.at(-1)]).toEqual([
      'superseded',
      newer.dispatchId,
      expect.objectContaining({ revision: 2, actor: 'anna', reason: `superseded by ${newer.dispatchId}` }),
    ]);
  });
});

describe('a dispatch is refused', () => {
  it.each([
    ['an unknown feeder', { feederId: 'nowhere' }, 'FEEDER_NOT_FOUND', '/feederId'],
    ['an end before its start', { startsAtMs: Date.now() + 2 * HOUR_MS }, 'VALIDATION_FAILED', '/endsAt'],
    ['a window that is past', { startsAtMs: 0, endsAtMs: HOUR_MS }, 'VALIDATION_FAILED', '/endsAt'],
    ['a window longer than 7 days', { endsAtMs: Date.now() + 169 * HOUR_MS }, 'VALIDATION_FAILED', '/endsAt'],
    [
      'a delay longer than what is left',
      { startsAtMs: Date.now() - HOUR_MS, randomizeStartSeconds: 5_400 },
      'VALIDATION_FAILED',
      '/randomizeStartSeconds',
    ],
    ['nothing asked', { importLimitKw: null }, 'VALIDATION_FAILED', ''],
  ])('for %s', async (_what, request, code, pointer) => {
    await expect(decideDispatch(database.db, anOrder(request))).rejects.toMatchObject({
      code,
      faults: expect.arrayContaining([{ pointer, message: expect.any(String) }]),
    });
    expect(await listDispatches(database.db, NEWEST)).toEqual([]);
  });

  it.each([
    ['stopped', 'enabled = false'],
    ['in mode disabled', `mode = 'disabled'`],
  ])('while the root is %s', async (_what, set) => {
    await database.db.query(`update feeders set ${set} where feeder_id = 'north'`);
    await expect(decideDispatch(database.db, anOrder())).rejects.toMatchObject({
      code: 'FEEDER_DISABLED',
      faults: [{ pointer: '/feederId', message: expect.stringContaining('Nobody controls a') }],
    });
  });

  it('when another one has the right of way, which it names', async () => {
    const first = anOrder({ targetKw: 10, importLimitKw: null });
    await accept(first);
    expect(await decideDispatch(database.db, anOrder({ targetKw: 20, importLimitKw: null }))).toMatchObject({
      outcome: 'refused',
      code: 'DISPATCH_CONFLICT',
      conflictsWith: [first.dispatchId],
      faults: [{ pointer: '/targetKw', message: expect.any(String) }],
    });
  });

  it('beyond the limit of the feeder', async () => {
    expect(await decideDispatch(database.db, anOrder({ targetKw: 90, importLimitKw: null }))).toMatchObject({
      outcome: 'refused',
      code: 'DISPATCH_UNREACHABLE',
      message: '10 kW beyond the import limit of 80 kW of feeder a',
    });
  });
});

describe('asking twice with one key', () => {
  it('is answered the same again and done once', async () => {
    const order = anOrder();
    const first = await accept(order);
    const again = await accept({ ...order, startDelayMs: 9_000 });
    expect(again).toEqual({ ...first, repeated: true });
    expect(await listDispatches(database.db, NEWEST)).toHaveLength(1);
  });

  it('at the same moment too', async () => {
    const order = anOrder();
    const answers = await Promise.all([1, 2, 3, 4].map(() => accept(order)));
    expect(answers.filter(({ repeated }) => !repeated)).toHaveLength(1);
    expect(await listDispatches(database.db, NEWEST)).toHaveLength(1);
  });

  it('with another body is refused', async () => {
    const order = anOrder();
    await accept(order);
    await expect(decideDispatch(database.db, { ...order, digest: 'another' })).rejects.toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
  });

  it('after it is over changes nothing and starts nothing', async () => {
    const order = anOrder();
    await accept(order);
    await cancelDispatch(database.db, { dispatchId: order.dispatchId, reason: 'rain', actor: ANNA });
    expect(await accept(order)).toMatchObject({ repeated: true, open: false });
  });
});

it('two that exclude each other, asked for at once, are decided one after the other', async () => {
  const decided = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      decideDispatch(database.db, anOrder({ targetKw: index, importLimitKw: null })),
    ),
  );
  expect(decided.filter(({ outcome }) => outcome === 'accepted')).toHaveLength(1);
  expect(await listDispatchesInForce(database.db)).toHaveLength(1);
});

it('deciding holds up no new device: the ingest only refers to the root', async () => {
  await database.db.transaction(async (tx) => {
    await tx.query(`select 1 from feeders where feeder_id = 'north' for no key update`);
    await database.db.query(`insert into devices (device_id, device_type, feeder_id, feeder_origin, rating_origin)
      values ('pv-1', 'pv', 'north', 'wire', 'wire')`);
  });
  expect((await database.db.query(`select 1 from devices`)).rowCount).toBe(1);
});

describe('cancelling', () => {
  it('closes it with history and audit, and says whether it was in force', async () => {
    const now = anOrder();
    const later = anOrder({ startsAtMs: Date.now() + HOUR_MS, endsAtMs: Date.now() + 2 * HOUR_MS });
    await accept(now);
    await accept(later);
    const cancel = ({ dispatchId }: DispatchOrder) =>
      cancelDispatch(database.db, { dispatchId, reason: 'rain', actor: { ...ANNA, user: 'otto' } });
    expect((await cancel(now)).wasInForce).toBe(true);
    expect((await cancel(later)).wasInForce).toBe(false);
    const story = await readDispatch(database.db, now.dispatchId);
    expect([story.state, story.history.at(-1)]).toEqual([
      'cancelled',
      expect.objectContaining({ state: 'cancelled', actor: 'otto', reason: 'rain', revision: 2 }),
    ]);
    expect(await listDispatchesInForce(database.db)).toEqual([]);
  });

  it.each([
    ['already cancelled', `update dispatches set state = 'cancelled'`, 'DISPATCH_CLOSED'],
    ['completed', `update dispatches set state = 'completed'`, 'DISPATCH_CLOSED'],
    [
      'whose window is over',
      `update dispatches set starts_at = now() - interval '2 h', ends_at = now() - interval '1 h'`,
      'DISPATCH_CLOSED',
    ],
  ])('one that is %s is refused', async (_what, sql, code) => {
    const order = anOrder();
    await accept(order);
    await database.db.query(sql);
    await expect(
      cancelDispatch(database.db, { dispatchId: order.dispatchId, reason: 'rain', actor: ANNA }),
    ).rejects.toMatchObject({ code });
  });

  it('one that nobody knows is refused', async () => {
    await expect(
      cancelDispatch(database.db, { dispatchId: randomUUID(), reason: 'rain', actor: ANNA }),
    ).rejects.toMatchObject({ code: 'DISPATCH_NOT_FOUND' });
  });
});

it('the list is read newest first, page by page, without a gap', async () => {
  const orders = Array.from({ length: 5 }, () => anOrder({ importLimitKw: 70 }));
  for (const order of orders) await accept(order);
  const seen: string[] = [];
  let before: { acceptedAt: string; dispatchId: string } | null = null;
  for (let page = 0; page < 3; page += 1) {
    const rows = await listDispatches(database.db, { ...NEWEST, before, limit: 2 });
    seen.push(...rows.map(({ dispatch }) => dispatch.dispatchId));
    const last = rows.at(-1);
    before = last === undefined ? null : { acceptedAt: last.exactAcceptedAt, dispatchId: last.dispatch.dispatchId };
  }
  expect([...seen].sort()).toEqual(orders.map(({ dispatchId }) => dispatchId).sort());
  expect(await listDispatches(database.db, { ...NEWEST, state: 'completed' })).toEqual([]);
  expect(await listDispatches(database.db, { ...NEWEST, openOnly: true, feederId: 'a' })).toHaveLength(5);
});

it('the times of a loop and of the clock compare as texts', async () => {
  const before = await readClock(database.db);
  await database.db.query(
    `insert into control_loops (root_feeder_id, chain_id, chain_started_at, cycle, planned_at, finished_at)
     values ('north', gen_random_uuid(), now(), 1, clock_timestamp(), null)`,
  );
  const { plannedAt, finishedAt } = await readLoopProgress(database.db, 'north');
  expect(finishedAt).toBeNull();
  expect((plannedAt ?? '') > before).toBe(true);
  expect((await readClock(database.db)) > (plannedAt ?? '')).toBe(true);
  expect(await readLoopProgress(database.db, 'nowhere')).toEqual({ plannedAt: null, finishedAt: null });
});
