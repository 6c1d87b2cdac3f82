import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IngestOrder } from '../../../bench/processes/ingest';
import { eventually } from '../../support/servers';
import { startOwnBroker, type OwnBroker } from '../broker/own-broker';
import { IngestWorld, telemetry, type RunningIngest } from './ingest-world';
import { startOwnPostgres, type OwnPostgres } from './own-postgres';

const DEVICES = 10;
const BATCH_ROWS = 100;
/** Two batches in work and one coming in. */
const MOST_IN_FLIGHT = 300;

let postgres: OwnPostgres;
let broker: OwnBroker;
let world: IngestWorld;
/** Ended after each test, whether it passed or not. */
const running: { stop(): Promise<unknown> }[] = [];

beforeAll(async () => {
  [postgres, broker] = await Promise.all([startOwnPostgres(), startOwnBroker()]);
});
beforeEach(async () => {
  world = await IngestWorld.create(postgres.db, broker);
});
afterEach(async () => {
  for (const each of running.splice(0)) await each.stop();
  postgres.process.resume();
  broker.process.resume();
  if (!postgres.process.isRunning()) await postgres.start();
  await world.close();
  // What was under way when it hung may hold its locks for a moment longer.
  await eventually(() => postgres.db.query('truncate telemetry'));
  await eventually(() => postgres.db.query('delete from devices'));
});
afterAll(async () => {
  await Promise.all([postgres.remove(), broker.remove()]);
});

/** Publishes samples at an even pace until told to stop; says which the broker has acknowledged. */
function publishing(perSecond = 2_000): { readonly acknowledged: string[]; stop(): Promise<void> } {
  const acknowledged: string[] = [];
  const pending = new Set<Promise<unknown>>();
  const startedAt = Date.now();
  let sent = 0;
  const timer = setInterval(() => {
    for (const due = ((Date.now() - startedAt) * perSecond) / 1000; sent < due; sent += 1) {
      const message = telemetry({ deviceId: `ev-${String(sent % DEVICES)}`, timestampMs: startedAt - 100_000 + sent });
      const publish = world.send(message).then(() => {
        acknowledged.push(String(message['messageId']));
        pending.delete(publish);
      });
      pending.add(publish);
    }
  }, 10);
  const publisher = {
    acknowledged,
    async stop() {
      clearInterval(timer);
      await Promise.all(pending);
    },
  };
  running.push({
    stop: async () => {
      clearInterval(timer);
    },
  });
  return publisher;
}

/** Every message that the broker has taken over is in the table, once. */
async function expectStoredOnce(acknowledged: readonly string[], ...more: RunningIngest[]): Promise<void> {
  await eventually(async () => {
    const [row] = await world.rows(
      'select count(*)::int as rows, count(distinct message_id)::int as ids from telemetry',
    );
    expect(row).toEqual({ rows: acknowledged.length, ids: acknowledged.length });
  }, 30_000);
  const missing = await world.rows(
    'select id from unnest($1::uuid[]) as id where not exists (select 1 from telemetry where message_id = id)',
    [acknowledged],
  );
  expect(missing).toEqual([]);
  for (const ingest of more)
    await eventually(async () => expect(await ingest.metric('derms_ingest_in_flight')).toBe(0));
}

/** The most that was in hand, looked at all the time. */
function watchInFlight(ingest: RunningIngest): { readonly most: () => number } {
  let most = 0;
  const timer = setInterval(() => {
    void ingest.metric('derms_ingest_in_flight').then((inFlight) => {
      most = Math.max(most, inFlight);
    });
  }, 10);
  timer.unref();
  return {
    most() {
      clearInterval(timer);
      return most;
    },
  };
}

describe('while Postgres is away', () => {
  it('messages wait in the broker, and all are stored once when it is back', async () => {
    const ingest = await world.start({ batchRows: BATCH_ROWS });
    const inFlight = watchInFlight(ingest);
    const publisher = publishing();
    await sleep(500);
    await postgres.crash();
    await sleep(3_000);
    const atTheEnd = await ingest.metric('derms_ingest_in_flight');
    await postgres.start();
    await sleep(500);
    await publisher.stop();

    await expectStoredOnce(publisher.acknowledged, ingest);
    expect(publisher.acknowledged.length).toBeGreaterThan(6_000);
    expect(atTheEnd).toBe(MOST_IN_FLIGHT);
    expect(inFlight.most()).toBeLessThanOrEqual(MOST_IN_FLIGHT);
    expect(await ingest.metric('derms_ingest_database_retries_total')).toBeGreaterThan(0);
    expect(await ingest.metric('derms_mqtt_disconnects_total')).toBe(0);
  });

  it('messages wait as well when it hangs instead of answering', async () => {
    const ingest = await world.start({ batchRows: BATCH_ROWS });
    const inFlight = watchInFlight(ingest);
    const publisher = publishing();
    await sleep(500);
    postgres.process.suspend();
    await sleep(4_000);
    postgres.process.resume();
    await sleep(500);
    await publisher.stop();

    await expectStoredOnce(publisher.acknowledged, ingest);
    expect(inFlight.most()).toBeLessThanOrEqual(MOST_IN_FLIGHT);
    expect(await ingest.metric('derms_mqtt_disconnects_total')).toBe(0);
  });

  it('the time that messages waited with us is not taken for the delay of a device’s clock', async () => {
    const ingest = await world.start();
    await world.send(telemetry());
    await ingest.untilTaken(1);
    await postgres.crash();
    await world.send(telemetry({ deviceId: 'ev-2' }));
    await sleep(2_500);
    await postgres.start();
    await ingest.untilTaken(2);

    const [row] = await world.rows(
      `select extract(epoch from received_at - sampled_at)::float8 as delay
         from device_state join devices using (device_key) where device_id = 'ev-2'`,
    );
    expect(row?.['delay']).toBeLessThan(1);
  });

  it('the end comes in time, and what was in hand is left to the broker', async () => {
    const ingest = await world.start({ batchRows: BATCH_ROWS });
    const publisher = publishing();
    await sleep(300);
    postgres.process.suspend();
    await sleep(300);
    await publisher.stop();
    const startedAt = performance.now();
    await ingest.stop();
    expect(performance.now() - startedAt).toBeLessThan(6_000);

    postgres.process.resume();
    const next = await world.start({ batchRows: BATCH_ROWS });
    await expectStoredOnce(publisher.acknowledged, next);
  });
});

describe('a slow database', () => {
  it('pushes back on the broker instead of filling memory', async () => {
    const ingest = await world.start({ batchRows: BATCH_ROWS });
    const inFlight = watchInFlight(ingest);
    const publisher = publishing(4_000);
    await postgres.db.transaction(async (tx) => {
      await tx.query('lock table telemetry in share row exclusive mode');
      await sleep(2_000);
      expect(await ingest.metric('derms_ingest_in_flight')).toBe(MOST_IN_FLIGHT);
    });
    await publisher.stop();

    await expectStoredOnce(publisher.acknowledged, ingest);
    expect(inFlight.most()).toBeLessThanOrEqual(MOST_IN_FLIGHT);
  });
});

describe('while the broker is away', () => {
  it('nothing that it has acknowledged is lost when it comes back', async () => {
    const ingest = await world.start({ batchRows: BATCH_ROWS });
    const publisher = publishing();
    await sleep(500);
    await broker.restart();
    await sleep(1_000);
    await publisher.stop();

    await expectStoredOnce(publisher.acknowledged, ingest);
    expect(await ingest.metric('derms_mqtt_disconnects_total')).toBe(1);
    expect(ingest.notReady()).toBeNull();
  });

  it('nothing is lost or doubled when it hangs and goes on', async () => {
    const ingest = await world.start({ batchRows: BATCH_ROWS });
    const publisher = publishing();
    await sleep(500);
    broker.process.suspend();
    await sleep(4_000);
    broker.process.resume();
    await sleep(500);
    await publisher.stop();

    await expectStoredOnce(publisher.acknowledged, ingest);
  });
});

describe('an ingest process', () => {
  const start = async (clientId: string): Promise<ChildProcess> => {
    const program = join(__dirname, '../../../bench/processes/ingest.ts');
    const child = fork(join(__dirname, '../broker/run-typescript.cjs'), [program], { serialization: 'advanced' });
    const order: IngestOrder = {
      database: postgres.options,
      mqttHost: broker.host,
      mqttPort: broker.port,
      clientId: `${world.prefix}-${clientId}`,
      topicPrefix: world.prefix,
      logLevel: 'silent',
      messages: Infinity,
    };
    child.send(order);
    running.push({ stop: () => end(child, 'SIGKILL') });
    await new Promise<void>((resolve) => {
      child.on('message', ({ event }: { event: string }) => {
        if (event === 'ready') resolve();
      });
    });
    return child;
  };
  const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  };

  it('may be killed again and again: what it had not committed comes again', async () => {
    let child = await start('one');
    const publisher = publishing();
    for (let times = 0; times < 3; times += 1) {
      await sleep(500);
      await postgres.db.transaction(async (tx) => {
        await tx.query('lock table telemetry in share row exclusive mode'); // with batches on their way
        await sleep(200);
        await end(child, 'SIGKILL');
      });
      child = await start('one');
    }
    await publisher.stop();

    await expectStoredOnce(publisher.acknowledged);
    await end(child, 'SIGTERM');
  });

  it('shares the load with another one, and takes over nothing that the other has committed', async () => {
    const one = await world.start({ batchRows: BATCH_ROWS, clientId: 'one' });
    const two = await world.start({ batchRows: BATCH_ROWS, clientId: 'two' });
    const publisher = publishing();
    await sleep(2_000);
    await publisher.stop();

    await expectStoredOnce(publisher.acknowledged, one, two);
    const shares = await Promise.all([one, two].map((each) => each.metric('derms_ingest_stored_total')));
    expect(Math.min(...shares)).toBeGreaterThan(publisher.acknowledged.length / 4);
    expect((shares[0] ?? 0) + (shares[1] ?? 0)).toBe(publisher.acknowledged.length);
  });

  it('commits and acknowledges what it has in hand when it is told to end', async () => {
    const ingest = await world.start({ batchRows: BATCH_ROWS, batchWaitMs: 1_000 });
    await world.send(telemetry(), telemetry({ deviceId: 'ev-2' }));
    await eventually(async () => expect(await ingest.metric('derms_ingest_in_flight')).toBe(2));
    await ingest.stop();
    expect(await world.rows('select count(*)::int as count from telemetry')).toEqual([{ count: 2 }]);
    expect(ingest.notReady()).toBe('stopping');

    const next = await world.start();
    await world.send(telemetry({ deviceId: 'ev-3' }));
    await next.untilTaken(1);
    expect(await next.metric('derms_ingest_messages_total')).toBe(1);
  });

  it.each([
    [true, false],
    [false, true],
  ])('takes each message once when it shared (%p) and is told otherwise (%p)', async (before, after) => {
    const first = await world.start({ shared: before });
    await first.stop();
    const second = await world.start({ shared: after });
    await world.send(...Array.from({ length: 20 }, (_, n) => telemetry({ deviceId: `ev-${String(n)}` })));
    await second.untilTaken(20);
    await sleep(100);

    expect(await second.metric('derms_ingest_messages_total')).toBe(20);
  });
});
