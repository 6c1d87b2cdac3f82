import { readRegistry } from '../../../contracts/registry-file';
import { listAudit } from '../../../db/audit';
import { readDevice } from '../../../db/devices';
import { listFeeders, readFeeder } from '../../../db/feeders';
import { applyRegistry, type RegistryApplied } from '../../../db/registry-apply';
import { createTestDatabase, type TestDatabase } from '../../support/servers';
import { ANNA } from './people-writes';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const SILENCE = { staleSeconds: 30, offlineSeconds: 180 };
const limits = { importLimitKw: 100, exportLimitKw: 50 };
const FILE = {
  feeders: [
    { feederId: 'a', parentId: 'north', ...limits, importLimitKw: 60, baseLoadKw: 5 },
    { feederId: 'north', ...limits, intervalSeconds: 5, name: 'North' },
  ],
  devices: [
    { deviceId: 'ev-1', deviceType: 'ev', feederId: 'a', maxImportKw: 22, minImportKw: 6 },
    { deviceId: 'pv-1', deviceType: 'pv', feederId: 'north' },
  ],
};
const apply = (file: object, given: { validateOnly?: boolean; prune?: boolean } = {}): Promise<RegistryApplied> =>
  applyRegistry(
    database.db,
    { file: readRegistry(file), validateOnly: given.validateOnly ?? false, prune: given.prune ?? false, actor: ANNA },
    10,
  );
const changed = (file: typeof FILE, change: object): object => ({ ...file, ...change });

describe('a registry file', () => {
  it('makes the tree and its devices, with the defaults of what it leaves out', async () => {
    const result = await apply(FILE);
    expect(result).toEqual({
      applied: true,
      feeders: { created: ['a', 'north'], changed: [], unchanged: 0, absent: [], removed: [] },
      devices: { created: ['ev-1', 'pv-1'], changed: [], unchanged: 0, absent: [], removed: [] },
      rootsTouched: ['north'],
      rootsCreated: ['north'],
    });
    expect(await readFeeder(database.db, 'a')).toMatchObject({
      ...{ parentId: 'north', rootFeederId: 'north', importLimitKw: 60, baseLoadKw: 5, intervalSeconds: 5 },
    });
    expect(await readDevice(database.db, 'ev-1', SILENCE)).toMatchObject({
      ...{ feederId: 'a', maxImportKw: 22, minImportKw: 6, weight: 1, reserveSoc: 0.1, targetSoc: 1, enabled: true },
      ...{ feederOrigin: 'registry', ratingOrigin: 'registry' },
    });
    expect(await readDevice(database.db, 'pv-1', SILENCE)).toMatchObject({ maxExportKw: null, ratingOrigin: 'wire' });
  });

  it('applied again changes nothing, not even a revision', async () => {
    await apply(FILE);
    const again = await apply(FILE);
    expect([again.feeders.unchanged, again.devices.unchanged, again.rootsTouched, again.rootsCreated]).toEqual([
      2,
      2,
      [],
      [],
    ]);
    const [first, second] = await listFeeders(database.db);
    expect([first?.revision, second?.revision]).toEqual([2, 2]); // made, then brought to what the file says
  });

  it('shows what it changes, and leaves what it does not say', async () => {
    await apply(FILE);
    await database.db.query(`update devices set weight = 4 where device_id = 'ev-1'`);
    const feeders = [{ ...FILE.feeders[0], importLimitKw: 40 }, FILE.feeders[1]];
    const { feeders: difference, rootsTouched } = await apply(changed(FILE, { feeders }));
    expect(difference.changed).toEqual([{ id: 'a', fields: { importLimitKw: { from: 60, to: 40 } } }]);
    expect(rootsTouched).toEqual(['north']);
    expect((await readDevice(database.db, 'ev-1', SILENCE)).weight).toBe(4);
  });

  it('only to see the difference changes nothing, and leaves the attempt', async () => {
    const result = await apply(FILE, { validateOnly: true });
    expect([result.applied, result.feeders.created, result.devices.created]).toEqual([
      false,
      ['a', 'north'],
      ['ev-1', 'pv-1'],
    ]);
    expect(await listFeeders(database.db)).toEqual([]);
    const rows = await listAudit(database.db, {
      actor: null,
      action: 'registry.apply',
      subject: null,
      beforeId: null,
      limit: 5,
    });
    expect(rows.map(({ outcome }) => outcome)).toEqual(['validated']);
  });

  it('hangs a feeder elsewhere with all that is below it, also what it does not name', async () => {
    await apply(FILE);
    await database.db
      .query(`insert into feeders (feeder_id, parent_id, root_id, import_limit_kw, export_limit_kw, origin)
      values ('a1', 'a', 'north', 1, 1, 'wire')`);
    const feeders = [{ feederId: 'a', ...limits }, FILE.feeders[1]];
    const { rootsCreated, rootsTouched } = await apply(changed(FILE, { feeders }));
    expect([rootsCreated, rootsTouched]).toEqual([['a'], ['a', 'north']]);
    expect((await readFeeder(database.db, 'a1')).rootFeederId).toBe('a');
  });

  it('takes in what came over the wire', async () => {
    await database.db.query(`insert into feeders (feeder_id, root_id, import_limit_kw, export_limit_kw, origin)
      values ('north', 'north', 100, 50, 'wire')`);
    const { feeders } = await apply(FILE);
    expect(feeders.created).toEqual(['a']);
    expect(feeders.changed).toEqual([
      {
        id: 'north',
        fields: {
          name: { from: null, to: 'North' },
          intervalSeconds: { from: 10, to: 5 },
          origin: { from: 'wire', to: 'registry' },
        },
      },
    ]);
  });
});

describe('what the file does not name', () => {
  const smaller = changed(FILE, { devices: FILE.devices.slice(0, 1) });

  it('stays', async () => {
    await apply(FILE);
    expect((await apply(smaller)).devices).toMatchObject({ absent: ['pv-1'], removed: [] });
    expect((await readDevice(database.db, 'pv-1', SILENCE)).enabled).toBe(true);
  });

  it('goes when that is asked for', async () => {
    await apply(FILE);
    const { devices, rootsTouched } = await apply(smaller, { prune: true });
    expect([devices.absent, devices.removed, rootsTouched]).toEqual([[], ['pv-1'], ['north']]);
    await expect(readDevice(database.db, 'pv-1', SILENCE)).rejects.toMatchObject({ code: 'DEVICE_NOT_FOUND' });
  });

  it('stays when the file is empty: that is a mistake', async () => {
    await apply(FILE);
    await expect(apply({ feeders: [] }, { prune: true })).rejects.toMatchObject({ code: 'REGISTRY_INVALID' });
    expect(await listFeeders(database.db)).toHaveLength(2);
  });

  it('stays nevertheless, with everything else, when dispatches tell of it', async () => {
    await apply(FILE);
    await database.db
      .query(`insert into dispatches (dispatch_id, feeder_id, starts_at, ends_at, begins_at, import_limit_kw,
        primacy, reason, state, requested_by, request_digest)
      values (gen_random_uuid(), 'a', now(), now() + interval '1 h', now(), 1, 100, 'r', 'completed', 'anna', 'd')`);
    const file = { feeders: [FILE.feeders[1]], devices: [FILE.devices[1]] };
    await expect(apply(file, { prune: true })).rejects.toMatchObject({
      code: 'REGISTRY_INVALID',
      faults: [{ pointer: '/feeders', message: expect.stringContaining('a cannot be removed') }],
    });
    expect((await readDevice(database.db, 'ev-1', SILENCE)).enabled).toBe(true);
  });
});

describe('a file that does not go with what is there', () => {
  it.each([
    ['another type', { deviceType: 'battery' }, '/devices/0/deviceType', 'ev-1 is registered as ev'],
    [
      'bounds that exclude each other',
      { maxImportKw: 5, minImportKw: undefined },
      '/devices/0/minImportKw',
      'is more than maxImportKw',
    ],
  ])('is refused whole: %s', async (_what, change, pointer, message) => {
    await apply(FILE);
    const devices = [{ ...FILE.devices[0], ...change }, FILE.devices[1]];
    const feeders = [{ ...FILE.feeders[0], importLimitKw: 1 }, FILE.feeders[1]];
    await expect(apply({ feeders, devices })).rejects.toMatchObject({
      code: 'REGISTRY_INVALID',
      faults: [{ pointer, message }],
    });
    expect((await readFeeder(database.db, 'a')).importLimitKw).toBe(60);
  });
});

it('thousands of devices are applied in a few seconds', async () => {
  const devices = Array.from({ length: 5_000 }, (_, index) => ({
    ...{ deviceId: `ev-${String(index)}`, deviceType: 'ev', feederId: 'north', maxImportKw: 11 },
  }));
  const startedAt = performance.now();
  const result = await apply({ feeders: FILE.feeders, devices });
  expect(result.devices.created).toHaveLength(5_000);
  expect(performance.now() - startedAt).toBeLessThan(8_000);
});
