import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectAsync, type MqttClient } from 'mqtt';
import { openPairPublisher, type PairPublisher } from '../../../broker/pair-publisher';
import type { OutgoingMessage } from '../../../broker/setpoint-publisher';
import { setpointMessage } from '../../../contracts/setpoint';
import { topics } from '../../../contracts/topics';
import { createFleet, type Fleet, type FleetOptions } from '../../../simulator/fleet';
import { generateRegistry } from '../../../simulator/generated-registry';
import { createTestDatabase, eventually, testLog, type TestDatabase } from '../../support/servers';
import type { OwnBroker } from '../broker/own-broker';
import { startOwnPair, type OwnPair } from '../broker/own-pair';
import { IngestWorld, telemetry } from './ingest-world';

let database: TestDatabase;
let pair: OwnPair;
let world: IngestWorld;
let atPrimary: MqttClient;
let atStandby: MqttClient;
const open: { close(): Promise<unknown> }[] = [];

beforeAll(async () => {
  [database, pair] = await Promise.all([createTestDatabase(), startOwnPair()]);
});
beforeEach(async () => {
  world = await IngestWorld.create(database.db, pair.options);
  [atPrimary, atStandby] = await Promise.all([agent(pair.primary), agent(pair.standby)]);
});
afterEach(async () => {
  await pair.heal();
  await Promise.all(open.splice(0).map((each) => each.close()));
  await Promise.all([atPrimary, atStandby].map((client) => client.endAsync(true)));
  await world.close();
  await database.db.query('truncate telemetry');
});
afterAll(async () => {
  await Promise.all([pair.remove(), database.drop()]);
});

/** A device in the field that is at one broker, comes back to it, and has its own store of what was not acknowledged. */
const agent = ({ host, port }: OwnBroker): Promise<MqttClient> =>
  connectAsync({ host, port, clientId: randomUUID(), reconnectPeriod: 100 });

type Json = Record<string, unknown>;
const say = (client: MqttClient, message: Json): Promise<unknown> =>
  client.publishAsync(
    `${world.prefix}/telemetry/${String(message['deviceType'])}/${String(message['deviceId'])}`,
    JSON.stringify(message),
    { qos: 1 },
  );
const stored = (): Promise<Json[]> =>
  world.rows('select message_id as id, count(*)::int as times from telemetry group by 1 order by 1');
const once = (...messages: Json[]): Json[] =>
  messages.map(({ messageId }) => ({ id: messageId, times: 1 })).sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1));

describe('telemetry at a pair of brokers', () => {
  it('is stored once, whichever broker a device speaks to, and when it says the same at both', async () => {
    const ingest = await world.start({ shared: false });
    const [one, two, both] = ['ev-1', 'ev-2', 'ev-3'].map((deviceId) => telemetry({ deviceId }));
    await Promise.all([say(atPrimary, one!), say(atStandby, two!), say(atPrimary, both!), say(atStandby, both!)]);
    await ingest.untilTaken(4);

    expect(await stored()).toEqual(once(one!, two!, both!));
    expect(await ingest.metric('derms_mqtt_broker_up', { broker: 'primary' })).toBe(1);
    expect(await ingest.metric('derms_mqtt_broker_up', { broker: 'standby' })).toBe(1);
  });

  it('that an old active had taken and not handed on is stored when it returns', async () => {
    const first = await world.start({ shared: false });
    await first.stop();
    const waiting = telemetry({ deviceId: 'ev-1' });
    await say(atPrimary, waiting); // acknowledged to the device, and waits for the ingest
    await pair.primary.process.stop();
    const ingest = await world.start({ shared: false });
    const meanwhile = telemetry({ deviceId: 'ev-2' });
    await say(atStandby, meanwhile);
    await eventually(async () => expect(await stored()).toEqual(once(meanwhile)));

    await pair.primary.restart();

    await eventually(async () => expect(await stored()).toEqual(once(waiting, meanwhile)));
    expect(await ingest.metric('derms_ingest_in_flight')).toBe(0);
  });

  it('goes on while one broker hangs, and what the hung one held comes when it goes on', async () => {
    const ingest = await world.start({ shared: false });
    pair.primary.process.suspend();
    const held = telemetry({ deviceId: 'ev-1' });
    const saying = say(atPrimary, held);
    const other = telemetry({ deviceId: 'ev-2' });
    await say(atStandby, other);
    await eventually(async () => expect(await stored()).toEqual(once(other)));

    await sleep(4_000);
    pair.primary.process.resume();
    await saying;

    await eventually(async () => expect(await stored()).toEqual(once(held, other)));
    await eventually(async () => expect(await ingest.metric('derms_ingest_in_flight')).toBe(0));
  });
});

/** Real devices in two halves: one half knows the primary first, the other the standby first. */
describe('a fleet at a pair whose old active returns', () => {
  const DEVICES = 40;
  const PATIENCE = { nothingComesMs: 3_600_000 };
  let publisher: PairPublisher;

  function fleetOf(part: string, brokers: FleetOptions['brokers'], more: Partial<FleetOptions> = {}): Fleet {
    const { feeders, devices } = generateRegistry({ devices: DEVICES, feeders: 1 });
    const fleet = createFleet({
      registry: { feeders, devices: devices.map((device) => ({ ...device, deviceId: `${part}-${device.deviceId}` })) },
      simulation: { intervalSeconds: 0.5 },
      ...{ brokers, topicPrefix: world.prefix, clientId: randomUUID(), devicesPerConnection: 10, log: testLog },
      record: { telemetry: true, setpoints: true },
      timing: PATIENCE,
      ...more,
    });
    open.push({ close: () => fleet.stop() });
    return fleet;
  }

  /** Publishes a plan to every device of these fleets, as a cycle does; devices judge by `plannedAtMs`. */
  async function publishPlan(planId: string, fleets: readonly Fleet[]): Promise<void> {
    const plannedAtMs = Date.now();
    const messages = fleets.flatMap((fleet) =>
      fleet.deviceIds.map((deviceId): OutgoingMessage => {
        const { deviceType } = fleet.device(deviceId);
        const setpoint = setpointMessage({
          ...{ messageId: randomUUID(), planId, deviceId, deviceType, sign: null, targetKw: 0 },
          ...{ timestampMs: plannedAtMs, validUntilMs: plannedAtMs + 60_000, rampKwPerS: null },
          ...{ allocator: 'test', notes: '' },
        });
        const topic = topics(world.prefix).setpoint(deviceType, deviceId);
        return { key: deviceId, topic, payload: JSON.stringify(setpoint), expirySeconds: 60 };
      }),
    );
    const { failed } = await publisher.publish(messages, {
      signal: AbortSignal.timeout(5_000),
      mayStillPublish: () => true,
    });
    expect(failed).toEqual([]);
  }

  /** The plan that each device obeys, with how many do. */
  const obeyed = (fleets: readonly Fleet[]): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const fleet of fleets)
      for (const deviceId of fleet.deviceIds) {
        const plan = fleet.device(deviceId).setpoint?.correlationId ?? 'none';
        counts[plan] = (counts[plan] ?? 0) + 1;
      }
    return counts;
  };

  const idsOf = (sessions: number) => async (): Promise<void> => {
    expect(publisher.brokers.map((each) => each.publisher.session)).toEqual([sessions, 1]);
    expect(publisher.brokers.every((each) => each.publisher.connected)).toBe(true);
  };

  it.each([
    ['was killed', (broker: OwnBroker) => broker.process.kill(), (broker: OwnBroker) => broker.restart()],
    [
      'was stopped with its store',
      (broker: OwnBroker) => broker.process.stop(),
      (broker: OwnBroker) => broker.restart(),
    ],
    [
      'hung',
      async (broker: OwnBroker) => broker.process.suspend(),
      async (broker: OwnBroker) => broker.process.resume(),
    ],
  ] as const)(
    'is not split when it %s: every command arrives, no older plan wins, all telemetry is stored once',
    async (_what, leave, comeBack) => {
      const [A, B] = [pair.options, pair.options.standby];
      const ingest = await world.start({ shared: false, maxAutoDevices: 1_000 });
      publisher = openPairPublisher({ ...pair.options, clientId: randomUUID() }, { log: testLog });
      open.push(publisher);
      await eventually(idsOf(1));
      const fleets = [fleetOf('north', [A, B]), fleetOf('south', [B, A])];
      await Promise.all(fleets.map((fleet) => fleet.start()));
      await publishPlan('plan-1', fleets);
      await eventually(() => expect(obeyed(fleets)).toEqual({ 'plan-1': 2 * DEVICES }));

      await leave(pair.primary);
      await eventually(() => {
        expect(fleets.map((fleet) => fleet.counts().connectionsAt)).toEqual([
          [0, 5],
          [5, 0],
        ]);
        expect(publisher.brokers[0]!.publisher.connected).toBe(false);
      });
      await publishPlan('plan-2', fleets);
      await eventually(() => expect(obeyed(fleets)).toEqual({ 'plan-2': 2 * DEVICES }));

      // The old active is back, with plan 1 in its store; some devices begin there anew.
      await comeBack(pair.primary);
      await eventually(idsOf(2));
      // A killed broker may have lost the session of the ingest: what comes before the new one is nobody's.
      await eventually(async () => expect(await ingest.metric('derms_mqtt_broker_up', { broker: 'primary' })).toBe(1));
      await sleep(500);
      const newcomers = fleetOf('west', [A, B]);
      fleets.push(newcomers);
      await newcomers.start();
      expect(newcomers.counts().connectionsAt).toEqual([5, 0]);
      await publishPlan('plan-3', fleets);
      await eventually(() => expect(obeyed(fleets)).toEqual({ 'plan-3': 3 * DEVICES }));

      await sleep(1_000);
      expect(obeyed(fleets)).toEqual({ 'plan-3': 3 * DEVICES });
      for (const fleet of fleets) {
        for (const deviceId of fleet.deviceIds) {
          const taken = fleet.setpointsHeard(deviceId).filter(({ outcome }) => outcome === 'taken');
          const plans = taken.map(({ correlationId }) => correlationId);
          expect(plans).toEqual([...plans].sort());
        }
      }
      await Promise.all(fleets.map((fleet) => fleet.stop()));
      await eventually(async () => {
        const acknowledged = fleets.flatMap((fleet) => fleet.acknowledgedTelemetry());
        const [row] = await world.rows(
          `select count(*)::int as rows, count(distinct (device_key, sampled_at))::int as samples from telemetry`,
        );
        const missing = await world.rows(
          `select * from unnest($1::text[], $2::float8[]) as sent(device_id, sent_ms)
            where not exists (select 1 from telemetry t join devices d using (device_key)
                               where d.device_id = sent.device_id and t.sampled_at = to_timestamp(sent_ms / 1000.0))`,
          [acknowledged.map(({ deviceId }) => deviceId), acknowledged.map(({ timestampMs }) => timestampMs)],
        );
        expect(missing).toEqual([]);
        expect(row!['rows']).toBe(row!['samples']);
        expect(await ingest.metric('derms_ingest_in_flight')).toBe(0);
      });
    },
    60_000,
  );
});
