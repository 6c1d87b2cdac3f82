import { addRefusedSenders, listRefusedSenders, type SenderCount } from '../../../db/refused-senders';
import { createTestDatabase, type TestDatabase } from '../../support/servers';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const aCount = (sender: string, messages: number, given: Partial<SenderCount> = {}): SenderCount => ({
  ...{ sender, messages, reason: 'too-many', perSecond: 5 },
  ...given,
});
const list = (limit = 10, after: { messages: number; sender: string; reason: string } | null = null) =>
  listRefusedSenders(database.db, { hours: 24, reason: null, after, limit });

it('counts of one sender and reason add up; the fastest moment is kept; the worst stands first', async () => {
  await addRefusedSenders(database.db, [
    aCount('a', 10, { perSecond: 50 }),
    aCount('b', 12),
    aCount('a', 1, { reason: 'too-old' }),
  ]);
  await addRefusedSenders(database.db, [aCount('a', 5)]);
  expect(await list()).toEqual([
    expect.objectContaining({ sender: 'a', reason: 'too-many', messages: 15, peakPerSecond: 50 }),
    expect.objectContaining({ sender: 'b', reason: 'too-many', messages: 12 }),
    expect.objectContaining({ sender: 'a', reason: 'too-old', messages: 1 }),
  ]);
});

it('pages go on after the last entry, also among equals', async () => {
  await addRefusedSenders(
    database.db,
    ['a', 'b', 'c', 'd'].map((sender) => aCount(sender, 3)),
  );
  const seen: string[] = [];
  let last: Awaited<ReturnType<typeof list>>[number] | null = null;
  for (;;) {
    const page = await list(1, last);
    if (page[0] === undefined) break;
    seen.push(page[0].sender);
    last = page[0];
  }
  expect(seen).toEqual(['a', 'b', 'c', 'd']);
});

it('an hour has 2,000 rows and one for the others, whatever strangers call themselves', async () => {
  const strangers = (from: number, count: number) =>
    Array.from({ length: count }, (_, index) => aCount(`stranger-${String(from + index)}`, 1));
  await addRefusedSenders(database.db, [aCount('loud', 100), ...strangers(0, 1_500)]);
  await addRefusedSenders(database.db, [aCount('loud', 100), ...strangers(1_500, 1_500)]);
  await addRefusedSenders(database.db, [aCount('loud', 100), ...strangers(9_000, 100)]);
  const { rows } = await database.db.query<{ rows: number; messages: number }>(
    'select count(*)::int as rows, sum(messages)::int as messages from refused_senders',
  );
  expect(rows).toEqual([{ rows: 2_001, messages: 3_400 }]);
  expect(await list(2)).toEqual([
    expect.objectContaining({ sender: '(others)', messages: 1_101 }),
    expect.objectContaining({ sender: 'loud', messages: 300 }),
  ]);
});

it('names with NUL and half characters are kept as far as text can', async () => {
  await addRefusedSenders(database.db, [aCount('a\u0000b\ud800', 1)]);
  expect((await list())[0]?.sender).toBe('ab\ufffd');
});
