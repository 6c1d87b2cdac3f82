import { patchDevice } from '../../../db/device-changes';
import { countDevices, listDevices, listOfflineDevices, readDevice } from '../../../db/devices';
import { addEv, addFeeder } from '../../support/fleet-rows';
import { createTestDatabase, type TestDatabase } from '../../support/servers';
import { ANNA } from './people-writes';

let database: TestDatabase;
const SILENCE = { staleSeconds: 30, offlineSeconds: 180 };
beforeEach(async () => {
  database = await createTestDatabase();
  await addFeeder(database.db, 'north');
  await addFeeder(database.db, 'a', { parentId: 'north', rootId: 'north' });
  await addFeeder(database.db, 'south');
});
afterEach(() => database.drop());

const ALL = { feederId: null, deviceType: null, state: null, afterId: null, limit: 100 };
const ids = async (filter: Partial<Parameters<typeof listDevices>[1]>): Promise<string[]> =>
  (await listDevices(database.db, { ...ALL, ...filter }, SILENCE)).map(({ deviceId }) => deviceId);

describe('the state of a device', () => {
  beforeEach(async () => {
    await addEv(database.db, 'fresh', 'north', { ageSeconds: 5 });
    await addEv(database.db, 'stale', 'a', { ageSeconds: 31 });
    await addEv(database.db, 'silent', 'a', { ageSeconds: 181 });
    await addEv(database.db, 'late-clock', 'a', { ageSeconds: 3_600, clockOffsetMs: 3_595_000 });
    await addEv(database.db, 'early-clock', 'a', { ageSeconds: 175, clockOffsetMs: -10_000 });
    await addEv(database.db, 'says-offline', 'south', {});
    await addEv(database.db, 'astray', 'south', {});
    await database.db.query(`update device_state set online = false
      where device_key = (select device_key from devices where device_id = 'says-offline')`);
    await database.db.query(`insert into device_control (device_key, not_following_until)
      select device_key, now() + interval '1 min' from devices where device_id = 'astray'`);
    await database.db.query(`insert into devices (device_id, device_type, feeder_id, feeder_origin, rating_origin)
      values ('never-heard', 'pv', 'south', 'registry', 'registry')`);
  });

  it.each([
    ['online', ['astray', 'fresh', 'late-clock']],
    ['stale', ['stale']],
    ['offline', ['early-clock', 'never-heard', 'says-offline', 'silent']],
    ['not-following', ['astray']],
  ] as const)('%s, by its age on its own clock', async (state, expected) => {
    expect(await ids({ state })).toEqual(expected);
  });

  it('is counted at each feeder', async () => {
    const counts = await countDevices(database.db, SILENCE);
    expect([...counts].sort((one, other) => (one.feederId < other.feederId ? -1 : 1))).toEqual([
      { feederId: 'a', rootFeederId: 'north', total: 4, online: 1, stale: 1, offline: 2, notFollowing: 0 },
      { feederId: 'north', rootFeederId: 'north', total: 1, online: 1, stale: 0, offline: 0, notFollowing: 0 },
      { feederId: 'south', rootFeederId: 'south', total: 3, online: 1, stale: 0, offline: 2, notFollowing: 1 },
    ]);
  });

  it('names so many offline ones of each tree', async () => {
    expect(await listOfflineDevices(database.db, SILENCE, 1)).toEqual([
      { rootFeederId: 'north', deviceId: 'early-clock' },
      { rootFeederId: 'south', deviceId: 'never-heard' },
    ]);
  });

  it('counts nowhere when the device is not enabled', async () => {
    await database.db.query(`update devices set enabled = false where device_id in ('silent', 'early-clock')`);
    expect(await listOfflineDevices(database.db, SILENCE, 5)).not.toContainEqual(
      expect.objectContaining({ rootFeederId: 'north' }),
    );
  });
});

it('the list takes a feeder with all that is below it, and goes on after an id', async () => {
  await addEv(database.db, 'ev-1', 'north');
  await addEv(database.db, 'ev-2', 'a');
  await addEv(database.db, 'ev-3', 'south');
  expect(await ids({ feederId: 'north' })).toEqual(['ev-1', 'ev-2']);
  expect(await ids({ deviceType: 'pv' })).toEqual([]);
  expect(await ids({ afterId: 'ev-1', limit: 1 })).toEqual(['ev-2']);
});

describe('changing a device', () => {
  const patch = (fields: Parameters<typeof patchDevice>[1]['fields'], revision: number | null = 1) => {
    const preconditions = { ifMatch: revision === null ? null : [revision], ifNoneMatch: null };
    return patchDevice(database.db, { deviceId: 'ev-1', fields, preconditions, actor: ANNA }, SILENCE);
  };
  beforeEach(async () => {
    await addEv(database.db, 'ev-1', 'north');
    await database.db.query(`update devices set feeder_origin = 'wire', rating_origin = 'wire', max_import_kw = 11`);
  });

  it('leaves what is not named, and who set it', async () => {
    const { device, rootsTouched } = await patch({ weight: 3 });
    expect([device.weight, device.maxImportKw, device.feederOrigin, device.ratingOrigin, device.revision]).toEqual([
      3,
      11,
      'wire',
      'wire',
      2,
    ]);
    expect(rootsTouched).toEqual(['north']);
  });

  it('takes a feeder or rating that is set out of the hands of the wire', async () => {
    const { device, rootsTouched } = await patch({ feederId: 'south', maxImportKw: 7 });
    expect([device.feederOrigin, device.ratingOrigin, [...rootsTouched].sort()]).toEqual([
      'registry',
      'registry',
      ['north', 'south'],
    ]);
  });

  it('gives ratings that are taken back to the wire again', async () => {
    await patch({ maxImportKw: 7 });
    const { device } = await patch({ maxImportKw: null, maxExportKw: null }, 2);
    expect(device.ratingOrigin).toBe('wire');
  });

  it.each([
    [{ feederId: 'nowhere' }, '/feederId', 'there is no feeder nowhere'],
    [{ minImportKw: 12 }, '/minImportKw', 'is more than maxImportKw'],
    [{ targetSoc: 0.05 }, '/reserveSoc', 'is more than targetSoc'],
  ])('to what would not be sound is refused: %j', async (fields, pointer, message) => {
    await expect(patch(fields)).rejects.toMatchObject({ code: 'DEVICE_INVALID', faults: [{ pointer, message }] });
    expect((await readDevice(database.db, 'ev-1', SILENCE)).revision).toBe(1);
  });

  it('needs the revision that was seen, and a device that exists', async () => {
    await expect(patch({ weight: 2 }, null)).rejects.toMatchObject({ code: 'REVISION_MISSING' });
    await expect(patch({ weight: 2 }, 9)).rejects.toMatchObject({ code: 'REVISION_CONFLICT' });
    await expect(readDevice(database.db, 'ev-2', SILENCE)).rejects.toMatchObject({ code: 'DEVICE_NOT_FOUND' });
  });
});
