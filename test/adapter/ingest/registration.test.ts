import { createTestDatabase, testServers, type TestDatabase } from '../../support/servers';
import { IngestWorld, telemetry, type RunningIngest } from './ingest-world';

let database: TestDatabase;
let world: IngestWorld;
let ingest: RunningIngest;

beforeEach(async () => {
  database = await createTestDatabase();
  world = await IngestWorld.create(database.db, testServers().mqtt);
});
afterEach(async () => {
  await world.close();
  await database.drop();
});

const device = async (deviceId: string) =>
  (await world.rows('select * from devices where device_id = $1', [deviceId]))[0];
const feederIds = async (): Promise<unknown[]> =>
  (await world.rows('select feeder_id from feeders order by feeder_id')).map((row) => row['feeder_id']);
const onFeeder = (deviceId: string, feederId: string, change = {}) =>
  telemetry({ deviceId, payload: { feederId }, ...change });

async function addFeeders(...ids: string[]): Promise<void> {
  await database.db.query(
    `insert into feeders (feeder_id, root_id, import_limit_kw, export_limit_kw, origin)
     select id, id, 40, 40, 'registry' from unnest($1::text[]) as id`,
    [ids],
  );
}

describe('a device that the registry does not know', () => {
  beforeEach(async () => {
    ingest = await world.start();
  });

  it('appears in it with its type, its feeder and what it says it can do', async () => {
    await world.send(
      telemetry({
        deviceId: 'battery-1',
        deviceType: 'battery',
        payload: { feederId: 'oak-street', siteId: 'site-3', capabilities: { maxChargeKw: 5, maxDischargeKw: 4.5 } },
      }),
    );
    await ingest.untilTaken(1);

    expect(await device('battery-1')).toMatchObject({
      device_type: 'battery',
      feeder_id: 'oak-street',
      max_import_kw: 5,
      max_export_kw: 4.5,
      sign: null,
      feeder_origin: 'wire',
      rating_origin: 'wire',
      enabled: true,
    });
    expect(await world.rows('select count(*)::int as count from telemetry')).toEqual([{ count: 1 }]);
    expect(await ingest.metric('derms_ingest_new_devices_total')).toBe(1);
  });

  it('brings its feeder with it, as a root with the configured limits, and the supervisor is told', async () => {
    await world.send(onFeeder('ev-1', 'oak-street'), onFeeder('ev-2', 'oak-street'));
    await ingest.untilTaken(2);

    expect(await world.rows('select * from feeders')).toMatchObject([
      {
        feeder_id: 'oak-street',
        parent_id: null,
        root_id: 'oak-street',
        import_limit_kw: 100,
        export_limit_kw: 100,
        interval_seconds: 7,
        mode: 'automatic',
        enabled: true,
        origin: 'wire',
      },
    ]);
    expect(ingest.feedersAdded).toEqual(['oak-street']);
    expect(await ingest.metric('derms_ingest_new_feeders_total')).toBe(1);
  });

  it.each`
    says                                            | feederId
    ${{ feederId: 'oak-street', siteId: 'site-3' }} | ${'oak-street'}
    ${{ siteId: 'site-3' }}                         | ${'site-3'}
    ${{}}                                           | ${'default'}
  `('hangs on $feederId when it says $says', async ({ says, feederId }) => {
    await world.send(telemetry({ payload: says }));
    await ingest.untilTaken(1);

    expect(await device('ev-1')).toMatchObject({ feeder_id: feederId });
  });

  it('joins a feeder of the registry without changing it', async () => {
    await addFeeders('oak-street');
    await world.send(onFeeder('ev-1', 'oak-street'));
    await ingest.untilTaken(1);

    expect(await world.rows('select feeder_id, import_limit_kw, origin from feeders')).toEqual([
      { feeder_id: 'oak-street', import_limit_kw: 40, origin: 'registry' },
    ]);
    expect(ingest.feedersAdded).toEqual([]);
  });
});

describe('the wire', () => {
  it('may add so many devices and no more; the others are refused, those known go on', async () => {
    ingest = await world.start({ maxAutoDevices: 2 });
    for (const id of ['ev-1', 'ev-2', 'ev-3']) await world.send(telemetry({ deviceId: id }));
    await world.send(telemetry({ deviceId: 'ev-1' }));
    await ingest.untilTaken(4);

    expect(await world.rows('select device_id from devices order by device_id')).toHaveLength(2);
    expect(await ingest.metric('derms_ingest_refused_total', { reason: 'registry-full' })).toBe(1);
    expect(await ingest.metric('derms_ingest_stored_total')).toBe(3);
  });

  it('may add so many feeders and no more; devices on known feeders still find a place', async () => {
    await addFeeders('elm-street');
    ingest = await world.start({ maxAutoFeeders: 1 });
    await world.send(onFeeder('ev-1', 'oak-street'));
    await ingest.untilTaken(1);
    await world.send(onFeeder('ev-2', 'pine-street'), onFeeder('ev-3', 'elm-street'), onFeeder('ev-4', 'oak-street'));
    await ingest.untilTaken(4);

    expect(await feederIds()).toEqual(['elm-street', 'oak-street']);
    expect(await device('ev-2')).toBeUndefined();
    expect(await device('ev-3')).toMatchObject({ feeder_id: 'elm-street' });
    expect(await device('ev-4')).toMatchObject({ feeder_id: 'oak-street' });
    expect(await ingest.metric('derms_ingest_refused_total', { reason: 'registry-full' })).toBe(1);
  });

  it('keeps the bounds when several processes add at once', async () => {
    const limits = { maxAutoDevices: 10, maxAutoFeeders: 3 };
    const [one, two] = await Promise.all([
      world.start({ ...limits, clientId: 'one', batchRows: 5 }),
      world.start({ ...limits, clientId: 'two', batchRows: 5 }),
    ]);
    await world.send(...Array.from({ length: 60 }, (_, n) => onFeeder(`ev-${String(n)}`, `feeder-${String(n % 6)}`)));
    await Promise.all([one.untilTaken(1), two.untilTaken(1)]);
    const total = async (name: string): Promise<number> => (await one.metric(name)) + (await two.metric(name));
    while ((await total('derms_ingest_messages_total')) < 60) await new Promise((resolve) => setTimeout(resolve, 20));

    expect(await feederIds()).toHaveLength(3);
    expect(await world.rows('select device_id from devices')).toHaveLength(10);
    expect(await total('derms_ingest_refused_total')).toBe(50);
    expect(await total('derms_ingest_stored_total')).toBe(10);
  });

  it('may add again what an operator has taken over: only its own count', async () => {
    ingest = await world.start({ maxAutoDevices: 1 });
    await world.send(telemetry({ deviceId: 'ev-1' }));
    await ingest.untilTaken(1);
    await database.db.query(`update devices set feeder_origin = 'registry'`);
    await world.send(telemetry({ deviceId: 'ev-2' }));
    await ingest.untilTaken(2);

    expect(await world.rows('select device_id from devices')).toHaveLength(2);
  });
});

describe('a known device', () => {
  beforeEach(async () => {
    ingest = await world.start({ maxAutoFeeders: 2 });
    await world.send(telemetry({ payload: { feederId: 'oak-street', capabilities: { maxImportKw: 11 } } }));
    await ingest.untilTaken(1);
  });

  it('takes itself to another feeder while no operator has said where it hangs', async () => {
    await world.send(onFeeder('ev-1', 'elm-street'));
    await ingest.untilTaken(2);

    expect(await device('ev-1')).toMatchObject({ feeder_id: 'elm-street', feeder_origin: 'wire' });
    expect(ingest.feedersAdded).toEqual(['oak-street', 'elm-street']);
  });

  it('stays where it is when it names no feeder', async () => {
    await world.send(telemetry());
    await ingest.untilTaken(2);

    expect(await device('ev-1')).toMatchObject({ feeder_id: 'oak-street' });
    expect(await feederIds()).toEqual(['oak-street']);
  });

  it('does not move once an operator has said where it hangs', async () => {
    await database.db.query(`update devices set feeder_origin = 'registry'`);
    await world.send(onFeeder('ev-1', 'elm-street', { readings: { powerKw: 4 } }));
    await ingest.untilTaken(2);

    expect(await device('ev-1')).toMatchObject({ feeder_id: 'oak-street' });
    expect(await feederIds()).toEqual(['oak-street']);
    expect(await ingest.metric('derms_ingest_stored_total')).toBe(2);
    expect(await ingest.metric('derms_ingest_moves_not_followed_total')).toBe(0);
  });

  it('does not move by a sample that is older than what it said before', async () => {
    await world.send(onFeeder('ev-1', 'elm-street', { timestampMs: Date.now() - 60_000 }));
    await ingest.untilTaken(2);
    await ingest.stop();
    const fresh = await world.start(); // that remembers nothing
    await world.send(onFeeder('ev-1', 'pine-street', { timestampMs: Date.now() - 50_000 }));
    await fresh.untilTaken(1);

    expect(await device('ev-1')).toMatchObject({ feeder_id: 'oak-street' });
    expect(await feederIds()).toEqual(['oak-street']);
  });

  it('stays where it is, with its telemetry stored, when the feeder that it names finds no place', async () => {
    await world.send(onFeeder('ev-2', 'elm-street'));
    await ingest.untilTaken(2);
    await world.send(onFeeder('ev-1', 'pine-street'));
    await ingest.untilTaken(3);
    await world.send(onFeeder('ev-1', 'pine-street'));
    await ingest.untilTaken(4);

    expect(await device('ev-1')).toMatchObject({ feeder_id: 'oak-street' });
    expect(await ingest.metric('derms_ingest_stored_total')).toBe(4);
    expect(await ingest.metric('derms_ingest_moves_not_followed_total')).toBe(1);
  });

  it('changes its rating while no operator has set it, and forgets none by not repeating it', async () => {
    await world.send(telemetry({ payload: { capabilities: { maxImportKw: 7, maxDischargeKw: 3 } } }));
    await ingest.untilTaken(2);
    expect(await device('ev-1')).toMatchObject({ max_import_kw: 7, max_export_kw: 3 });

    await world.send(telemetry({ payload: { capabilities: { maxImportKw: 22 } } }), telemetry());
    await ingest.untilTaken(4);
    expect(await device('ev-1')).toMatchObject({ max_import_kw: 22, max_export_kw: 3, rating_origin: 'wire' });
  });

  it('does not raise its own rating once an operator has set it', async () => {
    await database.db.query(`update devices set rating_origin = 'registry', max_import_kw = 6`);
    await world.send(telemetry({ payload: { capabilities: { maxImportKw: 22 }, feederId: 'elm-street' } }));
    await ingest.untilTaken(2);

    expect(await device('ev-1')).toMatchObject({ max_import_kw: 6, feeder_id: 'elm-street' });
  });

  it('gets a new revision only when something has changed', async () => {
    await world.send(telemetry({ payload: { feederId: 'oak-street', capabilities: { maxImportKw: 11 } } }));
    await ingest.untilTaken(2);
    expect(await device('ev-1')).toMatchObject({ revision: 1 });

    await world.send(telemetry({ payload: { capabilities: { maxImportKw: 10 } } }));
    await ingest.untilTaken(3);
    expect(await device('ev-1')).toMatchObject({ revision: 2 });
  });
});
