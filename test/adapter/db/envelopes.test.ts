import { listAudit } from '../../../db/audit';
import { listEnvelopes, readEnvelopesInForce, setEnvelopes, type EnvelopePage } from '../../../db/envelopes';
import type { EnvelopeInterval } from '../../../domain/envelopes';
import { addFeeder } from '../../support/fleet-rows';
import { createTestDatabase, type TestDatabase } from '../../support/servers';
import { ANNA } from './people-writes';

const MINUTE = 60_000;
let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
  await addFeeder(database.db, 'north');
  await addFeeder(database.db, 'elm', { parentId: 'north', rootId: 'north' });
});
afterEach(() => database.drop());

const startedAt = Date.now();
const during = (fromMinute: number, toMinute: number, importLimitKw: number): EnvelopeInterval => ({
  startsAtMs: startedAt + fromMinute * MINUTE,
  endsAtMs: startedAt + toMinute * MINUTE,
  importLimitKw,
  exportLimitKw: null,
});
const set = (intervals: EnvelopeInterval[], source = 'network', feederId = 'elm') =>
  setEnvelopes(database.db, { feederId, source, intervals, actor: ANNA });
const list = (page: Partial<EnvelopePage> = {}) =>
  listEnvelopes(database.db, {
    ...{ feederId: 'elm', source: null, from: null, to: null, withdrawn: false, after: null, limit: 100 },
    ...page,
  });
const limitsInForce = async () => {
  const found = await readEnvelopesInForce(database.db, 'north', 10);
  return found.map(({ feederId, source, importLimitKw }) => [feederId, source, importLimitKw]);
};

it('holds from the last cycle before it begins until it ends', async () => {
  await set([during(-5, 5, 40), during(5, 10, 30), during(-10, -5, 20)]);
  expect(await limitsInForce()).toEqual([['elm', 'network', 40]]);
  await set([{ ...during(0, 5, 35), startsAtMs: Date.now() + 8_000 }]);
  expect(await limitsInForce()).toEqual([['elm', 'network', 35]]);
  await set([{ ...during(0, 5, 35), startsAtMs: Date.now() + 60_000 }]);
  expect(await limitsInForce()).toEqual([]);
});

it('is replaced by what its source says next, and by nobody else', async () => {
  await set([during(-5, 5, 40)], 'owner');
  await set([during(-5, 5, 50)]);
  expect(await set([during(-5, 5, 45)])).toMatchObject({ rootFeederId: 'north', added: 1, withdrawn: 1 });
  expect(await limitsInForce()).toEqual([
    ['elm', 'owner', 40],
    ['elm', 'network', 45],
  ]);
});

it('stays the same when its source says it again', async () => {
  await set([during(-5, 5, 40), during(5, 10, 30)]);
  const [before] = await list();
  expect(await set([during(-5, 5, 40), during(5, 10, 30)])).toMatchObject({ added: 0, withdrawn: 0, unchanged: 2 });
  expect((await list())[0]).toEqual(before);
});

it('is taken back by an empty list, and kept with who took it back', async () => {
  await set([during(-5, 5, 40)]);
  expect(await set([])).toMatchObject({ added: 0, withdrawn: 1 });
  expect(await list()).toEqual([]);
  expect(await list({ withdrawn: true })).toMatchObject([
    { importLimitKw: 40, receivedBy: 'anna', withdrawnBy: 'anna' },
  ]);
});

it('is listed by page in the order it begins, from now or between two moments', async () => {
  await set([during(30, 40, 3), during(10, 20, 1), during(20, 30, 2)]);
  const [first] = await list({ limit: 1 });
  expect(first).toMatchObject({ importLimitKw: 1 });
  const rest = await list({ after: { startsAt: first!.startsAt, envelopeId: first!.envelopeId } });
  expect(rest.map(({ importLimitKw }) => importLimitKw)).toEqual([2, 3]);
  const to = new Date(startedAt + 25 * MINUTE).toISOString();
  expect((await list({ from: to, to })).map(({ importLimitKw }) => importLimitKw)).toEqual([2]);
});

it('is refused when two of one source overlap, and for a feeder nobody knows', async () => {
  await expect(set([during(0, 10, 1), during(5, 15, 2)])).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
  await expect(set([], 'network', 'nowhere')).rejects.toMatchObject({ code: 'FEEDER_NOT_FOUND' });
});

it('leaves an audit row', async () => {
  await set([during(-5, 5, 40)]);
  const [row] = await listAudit(database.db, { limit: 1 } as Parameters<typeof listAudit>[1]);
  expect(row).toMatchObject({ actor: 'anna', action: 'envelope.set', subject: 'elm', outcome: 'done' });
});
