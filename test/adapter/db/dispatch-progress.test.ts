import { randomUUID } from 'node:crypto';
import { createDispatchProgress } from '../../../db/dispatch-progress';
import { addFeeder } from '../../support/fleet-rows';
import { createTestDatabase, type TestDatabase } from '../../support/servers';

let database: TestDatabase;
let progress: ReturnType<typeof createDispatchProgress>;

beforeEach(async () => {
  database = await createTestDatabase();
  progress = createDispatchProgress(database.db);
  await addFeeder(database.db, 'north');
});
afterEach(() => database.drop());

/** Times in seconds from now. */
async function addDispatch(given: { begins: number; ends: number; expires?: number; state?: string }): Promise<string> {
  const dispatchId = randomUUID();
  await database.db.query(
    `insert into dispatches (dispatch_id, feeder_id, starts_at, begins_at, ends_at, expires_at, import_limit_kw, primacy, reason,
                             state, requested_by, request_digest)
     values ($1, 'north', now() + make_interval(secs => $2), now() + make_interval(secs => $2), now() + make_interval(secs => $3),
             now() + make_interval(secs => $4), 60, 100, 'heat wave', $5, 'anna', '')`,
    [dispatchId, given.begins, given.ends, given.expires ?? null, given.state ?? 'scheduled'],
  );
  return dispatchId;
}

const historyOf = async (dispatchId: string): Promise<string[]> => {
  const { rows } = await database.db.query<{ state: string }>(
    'select state from dispatch_history where dispatch_id = $1 order by revision',
    [dispatchId],
  );
  return rows.map(({ state }) => state);
};

describe('a dispatch by the clock', () => {
  it.each`
    what                                     | begins | ends   | expires | state          | becomes        | changed
    ${'stays scheduled before its window'}   | ${60}  | ${120} | ${null} | ${'scheduled'} | ${'scheduled'} | ${false}
    ${'is active within its window'}         | ${-10} | ${60}  | ${null} | ${'scheduled'} | ${'active'}    | ${true}
    ${'is completed after it'}               | ${-60} | ${-1}  | ${null} | ${'active'}    | ${'completed'} | ${true}
    ${'expires when nobody could start it'}  | ${-60} | ${-1}  | ${null} | ${'scheduled'} | ${'expired'}   | ${true}
    ${'expires past its latest first start'} | ${-60} | ${60}  | ${-10}  | ${'scheduled'} | ${'expired'}   | ${true}
    ${'goes on past it once it was started'} | ${-60} | ${60}  | ${-10}  | ${'active'}    | ${'active'}    | ${false}
    ${'stays cancelled'}                     | ${-60} | ${60}  | ${null} | ${'cancelled'} | ${'cancelled'} | ${false}
  `(
    '$what',
    async ({
      begins,
      ends,
      expires,
      state,
      becomes,
      changed,
    }: {
      begins: number;
      ends: number;
      expires: number | null;
      state: string;
      becomes: string;
      changed: boolean;
    }) => {
      const dispatchId = await addDispatch({ begins, ends, state, ...(expires === null ? {} : { expires }) });
      expect(await progress.advance(dispatchId)).toMatchObject({ state: becomes, changed, rootFeederId: 'north' });
      expect(await historyOf(dispatchId)).toEqual(changed ? [becomes] : []);
    },
  );

  it('changes once, however often it is looked at', async () => {
    const dispatchId = await addDispatch({ begins: -10, ends: 60 });
    await progress.advance(dispatchId);
    expect(await progress.advance(dispatchId)).toMatchObject({ state: 'active', changed: false });
    expect(await historyOf(dispatchId)).toEqual(['active']);
  });

  it('says who asked for what, until when, and why', async () => {
    const dispatchId = await addDispatch({ begins: -10, ends: 60 });
    expect((await progress.advance(dispatchId))?.summary).toMatch(
      /^active until \S+Z: north import ≤ 60 kW, asked by anna: heat wave$/,
    );
  });

  it('is nothing that was never accepted', async () => {
    expect(await progress.advance(randomUUID())).toBeNull();
  });
});

describe('what should run', () => {
  it('are the loops of enabled roots and the dispatches that are not over', async () => {
    await addFeeder(database.db, 'north-a', { parentId: 'north', rootId: 'north' });
    await addFeeder(database.db, 'south');
    await database.db.query("update feeders set enabled = false where feeder_id = 'south'");
    const open = await addDispatch({ begins: 60, ends: 120 });
    await addDispatch({ begins: -60, ends: -1, state: 'completed' });
    expect(await progress.wanted()).toEqual({
      roots: [{ rootFeederId: 'north', planned: false }],
      dispatches: [{ dispatchId: open, rootFeederId: 'north' }],
    });
  });
});
