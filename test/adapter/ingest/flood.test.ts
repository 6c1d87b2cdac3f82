import { connectAsync } from 'mqtt';
import { setTimeout as sleep } from 'node:timers/promises';
import { listRefusedSenders } from '../../../db/refused-senders';
import { lateness } from '../../support/lateness';
import { createTestDatabase, eventually, testServers, type TestDatabase } from '../../support/servers';
import { IngestWorld, telemetry } from './ingest-world';

let database: TestDatabase;
let world: IngestWorld;
beforeEach(async () => {
  database = await createTestDatabase();
  world = await IngestWorld.create(database.db, testServers().mqtt);
});
afterEach(async () => {
  await world.close();
  await database.drop();
});

const FLOOD = 30_000;
const BURST = 500;
const PER_SECOND = 20;
/** What a control cycle of the shortest interval can wait for. */
const IN_TIME_MS = 2_000;

it('a device that floods delays nobody, is held to its rate, and is seen for what it does', async () => {
  const ingest = await world.start({
    ...{ batchRows: 2_000, batchWaitMs: 20 },
    deviceAllowance: { burst: BURST, perSecond: PER_SECOND },
  });
  await world.send(telemetry({ deviceId: 'quiet' }), telemetry({ deviceId: 'loud' }));
  await ingest.untilTaken(2);

  const loud = await connectAsync({ ...testServers().mqtt, protocolVersion: 5 });
  const startedAt = performance.now();
  let sent = 0;
  const flood = (async () => {
    while (sent < FLOOD) {
      const several = Array.from({ length: 500 }, () => telemetry({ deviceId: 'loud' }));
      await Promise.all(
        several.map((message) =>
          loud.publishAsync(`${world.prefix}/telemetry/ev/loud`, JSON.stringify(message), { qos: 1 }),
        ),
      );
      sent += several.length;
    }
  })();

  const waits: number[] = [];
  while (sent < FLOOD) {
    const timestampMs = Date.now();
    const publishedAt = performance.now();
    const late = lateness();
    await world.send(telemetry({ deviceId: 'quiet', timestampMs }));
    await eventually(
      async () => {
        const rows = await world.rows(
          `select 1 from device_state where device_key = (select device_key from devices where device_id = 'quiet')
            and sampled_at = to_timestamp($1::float8 / 1000)`,
          [timestampMs],
        );
        expect(rows).toHaveLength(1);
      },
      10_000,
      20,
    );
    waits.push(performance.now() - publishedAt - late.stop());
    await sleep(20);
  }
  await flood;
  const seconds = (performance.now() - startedAt) / 1_000;
  await ingest.untilTaken(FLOOD + 2 + waits.length, 30_000);

  waits.sort((a, b) => a - b);
  expect(waits.length).toBeGreaterThan(3);
  expect(waits.at(-1)).toBeLessThan(IN_TIME_MS);

  const refused = await ingest.metric('derms_ingest_refused_total', { reason: 'too-many' });
  expect(FLOOD - refused).toBeGreaterThanOrEqual(BURST - 1);
  expect(FLOOD - refused).toBeLessThanOrEqual(BURST + Math.ceil((seconds + 30) * PER_SECOND));
  process.stdout.write(
    `flood: ${String(Math.round(FLOOD / seconds))} messages/s, ${String(refused)} of ${String(FLOOD)} refused; ` +
      `others committed after ${waits[Math.floor(waits.length / 2)]!.toFixed(0)} ms (median), ${waits.at(-1)!.toFixed(0)} ms (worst)\n`,
  );

  await sleep(2_000); // senders are told every two seconds, with the next batch
  await world.send(telemetry({ deviceId: 'quiet' }));
  await eventually(async () => {
    const told = await listRefusedSenders(database.db, { hours: 2, reason: null, after: null, limit: 10 });
    expect(told).toEqual([
      expect.objectContaining({ sender: 'telemetry/ev/loud', reason: 'too-many', messages: refused }),
    ]);
    expect(told[0]!.peakPerSecond).toBeGreaterThan(PER_SECOND);
  });
  await loud.endAsync(true);
}, 120_000);

it('what a device kept while it was cut off is taken whole, however fast it comes', async () => {
  const ingest = await world.start({ deviceAllowance: { burst: 3_600, perSecond: 1 } });
  const kept = Array.from({ length: 3_600 }, (_, second) =>
    telemetry({ deviceId: 'back-again', timestampMs: Date.now() - 3_600_000 + second * 1_000 }),
  );
  for (let from = 0; from < kept.length; from += 600) await world.send(...kept.slice(from, from + 600));
  await ingest.untilTaken(3_600, 30_000);
  expect(await ingest.metric('derms_ingest_stored_total')).toBe(3_600);
  expect(await ingest.metric('derms_ingest_refused_total')).toBe(0);
}, 60_000);
