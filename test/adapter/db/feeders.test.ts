import { listAudit } from '../../../db/audit';
import { listFeeders, patchFeeder, putFeeder, readFeeder, type FeederFields } from '../../../db/feeders';
import { addFeeder } from '../../support/fleet-rows';
import { createTestDatabase, type TestDatabase } from '../../support/servers';
import { ANNA } from './people-writes';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const FIELDS = { parentId: null, name: null, importLimitKw: 100, exportLimitKw: 50, baseLoadKw: 0 };
const put = (feederId: string, fields: Partial<FeederFields>, revision: number | null) =>
  putFeeder(database.db, {
    feederId,
    fields: { ...FIELDS, ...fields },
    preconditions: { ifMatch: revision === null ? null : [revision], ifNoneMatch: null },
    actor: ANNA,
    defaultIntervalSeconds: 7,
  });
const patch = (feederId: string, fields: Parameters<typeof patchFeeder>[1]['fields'], revision: number | null = 1) =>
  patchFeeder(database.db, {
    feederId,
    fields,
    preconditions: { ifMatch: revision === null ? null : [revision], ifNoneMatch: null },
    actor: ANNA,
    defaultIntervalSeconds: 7,
  });
const rootOf = async (feederId: string): Promise<string> => (await readFeeder(database.db, feederId)).rootFeederId;

describe('making a feeder', () => {
  it('gives a root its own loop settings, and a child those of its root', async () => {
    const root = await put('substation', { name: 'North' }, null);
    const child = await put('feeder-a', { parentId: 'substation' }, null);
    expect([root.created, root.feeder]).toEqual([
      true,
      expect.objectContaining({
        feederId: 'substation',
        parentId: null,
        rootFeederId: 'substation',
        name: 'North',
        importLimitKw: 100,
        exportLimitKw: 50,
        mode: 'automatic',
        intervalSeconds: 7,
        enabled: true,
        origin: 'registry',
        revision: 1,
      }),
    ]);
    expect([child.feeder.rootFeederId, child.rootsTouched]).toEqual(['substation', ['substation']]);
  });

  it('needs a parent that exists, and leaves nothing behind otherwise', async () => {
    await expect(put('feeder-a', { parentId: 'nowhere' }, null)).rejects.toMatchObject({
      code: 'FEEDER_TREE_INVALID',
      faults: [{ pointer: '/parentId', message: 'there is no feeder nowhere to hang it on' }],
    });
    expect(await listFeeders(database.db)).toEqual([]);
  });

  it('again needs the revision that was seen, and replaces', async () => {
    await put('substation', { name: 'North' }, null);
    await expect(put('substation', {}, null)).rejects.toMatchObject({ code: 'REVISION_MISSING' });
    await expect(put('substation', {}, 7)).rejects.toMatchObject({ code: 'REVISION_CONFLICT' });
    const { created, feeder } = await put('substation', { importLimitKw: 80 }, 1);
    expect([created, feeder.importLimitKw, feeder.name, feeder.revision]).toEqual([false, 80, null, 2]);
  });
});

describe('changing a feeder', () => {
  it('leaves what is not named, and is in the audit with before and after', async () => {
    await addFeeder(database.db, 'substation', { importLimitKw: 100 });
    await patch('substation', { importLimitKw: 60 });
    expect(await readFeeder(database.db, 'substation')).toMatchObject({
      importLimitKw: 60,
      exportLimitKw: 100,
      revision: 2,
    });
    const [row] = await listAudit(database.db, {
      actor: null,
      action: 'feeder.change',
      subject: null,
      beforeId: null,
      limit: 5,
    });
    expect(row).toMatchObject({
      actor: 'anna',
      subject: 'substation',
      outcome: 'done',
      requestId: 'request-1',
      detail: { before: { importLimitKw: 100 }, after: { importLimitKw: 60 } },
    });
  });

  it('by two people at once is done by one, and the other is told', async () => {
    await addFeeder(database.db, 'substation');
    const outcomes = await Promise.allSettled([
      patch('substation', { importLimitKw: 1 }),
      patch('substation', { importLimitKw: 2 }),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'REVISION_CONFLICT' },
    });
  });
});

describe('hanging a feeder elsewhere', () => {
  beforeEach(async () => {
    await addFeeder(database.db, 'north');
    await addFeeder(database.db, 'south');
    await addFeeder(database.db, 'a', { parentId: 'north', rootId: 'north' });
    await addFeeder(database.db, 'a1', { parentId: 'a', rootId: 'north' });
  });

  it('takes all that is below it along, and touches both trees', async () => {
    const { feeder, rootsTouched } = await patch('a', { parentId: 'south' });
    expect([feeder.parentId, feeder.rootFeederId, [...rootsTouched].sort()]).toEqual([
      'south',
      'south',
      ['north', 'south'],
    ]);
    expect(await rootOf('a1')).toBe('south');
  });

  it('on nothing makes it a root', async () => {
    await patch('a', { parentId: null });
    expect([await rootOf('a'), await rootOf('a1')]).toEqual(['a', 'a']);
  });

  it('on another root ends its own tree', async () => {
    await patch('north', { parentId: 'south' });
    expect([await rootOf('north'), await rootOf('a1')]).toEqual(['south', 'south']);
  });

  it.each([
    ['itself', 'a', 'a'],
    ['what is below it', 'north', 'a1'],
  ])('on %s is refused', async (_what, feederId, parentId) => {
    await expect(patch(feederId, { parentId })).rejects.toMatchObject({ code: 'FEEDER_TREE_INVALID' });
    expect([await rootOf('a'), await rootOf('a1')]).toEqual(['north', 'north']);
  });

  it('crosswise at once ends in a tree, never in a circle', async () => {
    const outcomes = await Promise.allSettled([
      patch('north', { parentId: 'south' }),
      patch('south', { parentId: 'north' }),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const roots = new Set((await listFeeders(database.db)).map(({ rootFeederId }) => rootFeederId));
    expect(roots.size).toBe(1);
  });
});

it('the list has the meter with its age, corrected for its clock', async () => {
  await addFeeder(database.db, 'substation');
  await database.db.query(
    `insert into meter_state (feeder_id, sampled_at, received_at, message_id, flow_kw, clock_half_hour, clock_least_ms, clock_previous_ms)
     values ('substation', now() - interval '65 s', now(), gen_random_uuid(), 42.5, 0, 61000, 60000)`,
  );
  const [feeder] = await listFeeders(database.db);
  expect(feeder?.meter?.flowKw).toBe(42.5);
  expect(feeder?.meter?.ageSeconds).toBeGreaterThanOrEqual(5);
  expect(feeder?.meter?.ageSeconds).toBeLessThan(6);
});
