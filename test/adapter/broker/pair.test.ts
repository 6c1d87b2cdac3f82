import { randomUUID } from 'node:crypto';
import { connectAsync } from 'mqtt';
import { connectToBroker } from '../../../broker/connection';
import { watchEmergencyLatch } from '../../../broker/emergency-latch';
import { brokersOf } from '../../../broker/pair';
import { openPairPublisher, type PairPublisher } from '../../../broker/pair-publisher';
import { openPairSubscription } from '../../../broker/pair-subscription';
import type { OutgoingMessage } from '../../../broker/setpoint-publisher';
import { createRegistry, type Registry } from '../../../observability/metrics';
import { createFleet } from '../../../simulator/fleet';
import { generateRegistry } from '../../../simulator/generated-registry';
import { eventually, testLog } from '../../support/servers';
import { recordingLog } from './log-lines';
import type { OwnBroker } from './own-broker';
import { startOwnPair, type OwnPair } from './own-pair';

let pair: OwnPair;
const open: { close(): Promise<unknown> }[] = [];

beforeAll(async () => {
  pair = await startOwnPair();
});
afterEach(async () => {
  await pair.heal();
  await Promise.all(open.splice(0).map((each) => each.close()));
});
afterAll(() => pair.remove());

const options = () => ({ ...pair.options, clientId: `derms-test-${randomUUID()}` });
const quickly = (so: () => void | Promise<void>): Promise<void> => eventually(so, 15_000, 10);

async function figure(registry: Registry, name: string, broker?: string): Promise<number | undefined> {
  const values = (await registry.getSingleMetric(name)?.get())?.values ?? [];
  return values.find(({ labels }) => broker === undefined || labels['broker'] === broker)?.value;
}

/** A client of ours: whether it is at the primary, and whether it does its work at the standby. */
interface Client {
  readonly atPrimary: () => boolean;
  readonly works: () => boolean;
}

/** Each kind of client that we have, connected to the primary. */
const CLIENTS: Record<string, () => Promise<Client>> = {
  'the ingest': async () => {
    const sides = brokersOf(options()).map((broker) =>
      openPairSubscription(
        { ...broker, filters: ['t/#'], sessionExpirySeconds: 60, receiveMaximum: 100 },
        () => undefined,
        { log: testLog },
      ),
    );
    open.push(...sides);
    await quickly(() => expect(sides.every(({ subscribed }) => subscribed)).toBe(true));
    return { atPrimary: () => sides[0]!.connected, works: () => sides[1]!.connected };
  },
  'the publisher of setpoints': async () => {
    const publisher = openPairPublisher(options(), { log: testLog });
    open.push(publisher);
    const [primary, standby] = publisher.brokers;
    await quickly(() => expect(publisher.brokers.every((each) => each.publisher.connected)).toBe(true));
    return { atPrimary: () => primary!.publisher.connected, works: () => standby!.publisher.connected };
  },
  'the guard of the emergency stop': async () => {
    const latches = brokersOf(options()).map((broker) =>
      watchEmergencyLatch({ ...broker, prefix: 'der' }, () => undefined, { log: testLog }),
    );
    open.push(...latches);
    await quickly(() => expect(latches.map(({ held }) => held)).toEqual([null, null]));
    return { atPrimary: () => latches[0]!.held !== 'unknown', works: () => latches[1]!.held === null };
  },
  "the API's probe": async () => {
    const connection = connectToBroker(options(), {}, { log: testLog });
    open.push(connection);
    const isAt = (broker: OwnBroker) => () => connection.connected && connection.address.port === broker.port;
    await quickly(() => expect(isAt(pair.primary)()).toBe(true));
    return { atPrimary: isAt(pair.primary), works: isAt(pair.standby) };
  },
  'the simulated fleet': async () => {
    const { host, port, standby } = pair.options;
    const fleet = createFleet({
      registry: generateRegistry({ devices: 20, feeders: 1 }),
      brokers: [{ host, port }, standby],
      ...{ topicPrefix: `fleet-${randomUUID()}`, clientId: `fleet-${randomUUID()}`, log: testLog },
    });
    open.push({ close: () => fleet.stop() });
    await fleet.start();
    expect(fleet.counts().connectionsAt).toEqual([2, 0]);
    return {
      atPrimary: () => fleet.counts().connectionsAt[0]! > 0,
      works: () => fleet.counts().connectionsAt[1] === 2,
    };
  },
};

describe.each(Object.keys(CLIENTS))('%s', (name) => {
  it.each([
    ['is killed', 1_000, ({ process }: OwnBroker): unknown => process.kill()],
    ['hangs', 4_000, ({ process }: OwnBroker): unknown => process.suspend()],
  ] as const)(
    'notices that the primary %s within %i ms, and is at the standby soon after',
    async (what, mostMs, act) => {
      const client = await CLIENTS[name]!();
      const startedAt = performance.now();
      void act(pair.primary);
      await quickly(() => expect(client.atPrimary()).toBe(false));
      const noticedMs = performance.now() - startedAt;
      await quickly(() => expect(client.works()).toBe(true));
      const workingMs = performance.now() - startedAt;
      if (process.env['TELL_TIMES'] !== undefined)
        process.stderr.write(
          `${name} ${what}: noticed ${noticedMs.toFixed(0)} ms, working ${workingMs.toFixed(0)} ms\n`,
        );

      expect(noticedMs).toBeLessThan(mostMs);
      expect(workingMs).toBeLessThan(mostMs + 1_000);
    },
  );
});

describe('a connection to a pair', () => {
  it('tells which broker it is at, counts that it failed over, and stays when the old one is back', async () => {
    const registry = createRegistry('test');
    const { log, lines } = recordingLog();
    const connection = connectToBroker(options(), {}, { log, registry });
    open.push(connection);
    const isAt = (broker: OwnBroker): void => {
      expect([connection.connected, connection.address.port]).toEqual([true, broker.port]);
    };
    await quickly(() => isAt(pair.primary));
    expect(await figure(registry, 'derms_mqtt_broker_in_use', 'primary')).toBe(1);
    expect(await figure(registry, 'derms_mqtt_failovers_total')).toBe(0);

    await pair.primary.process.kill();
    await quickly(() => isAt(pair.standby));
    await pair.primary.restart();
    await new Promise((resolve) => setTimeout(resolve, 500));

    isAt(pair.standby);
    expect(await figure(registry, 'derms_mqtt_up')).toBe(1);
    expect(await figure(registry, 'derms_mqtt_broker_up', 'primary')).toBe(0);
    expect(await figure(registry, 'derms_mqtt_broker_up', 'standby')).toBe(1);
    expect(await figure(registry, 'derms_mqtt_broker_in_use', 'standby')).toBe(1);
    expect(await figure(registry, 'derms_mqtt_failovers_total')).toBe(1);
    expect(await figure(registry, 'derms_mqtt_disconnects_total')).toBe(1);
    expect(lines).toContainEqual(
      expect.objectContaining({ msg: 'connected to the broker', mqttPort: pair.standby.port }),
    );
  });

  it('begins at the standby when the primary is away, and is no failover then', async () => {
    const registry = createRegistry('test');
    await pair.primary.process.kill();
    const connection = connectToBroker(options(), {}, { log: testLog, registry });
    open.push(connection);

    await quickly(() => expect(connection.connected).toBe(true));
    expect(await figure(registry, 'derms_mqtt_failovers_total')).toBe(0);
  });
});

const message = (key: string, payload: string): OutgoingMessage => ({
  ...{ key, topic: `der/setpoints/ev/${key}`, payload, expirySeconds: 600 },
});
const send = (publisher: PairPublisher, messages: readonly OutgoingMessage[], withinMs = 1_000) =>
  publisher.publish(messages, { signal: AbortSignal.timeout(withinMs), mayStillPublish: () => true });

/** What a device that connects to this broker now hears of its setpoint. */
async function retainedAt({ host, port }: OwnBroker, key: string): Promise<string | null> {
  const client = await connectAsync({ host, port, protocolVersion: 5 });
  let heard: string | null = null;
  client.on('message', (_topic, payload) => (heard = payload.toString()));
  await client.subscribeAsync(`der/setpoints/ev/${key}`, { qos: 1 });
  await client.subscribeAsync('nothing', { qos: 1 }); // answered behind what is retained
  await client.endAsync();
  return heard;
}

describe('the publisher of a pair', () => {
  async function openPublisher() {
    const sessions: number[] = [];
    const publisher = openPairPublisher(options(), {
      log: testLog,
      onNewSession: async () => {
        sessions.push(Date.now());
      },
    });
    open.push(publisher);
    await quickly(() => expect(publisher.brokers.every((each) => each.publisher.connected)).toBe(true));
    return { publisher, sessions };
  }

  it('leaves the same retained setpoint at both brokers', async () => {
    const { publisher, sessions } = await openPublisher();
    const outcome = await send(publisher, [message('one', 'plan 1'), message('two', 'plan 1')]);

    expect(outcome).toEqual({ acknowledged: ['one', 'two'], failed: [] });
    expect(await retainedAt(pair.primary, 'one')).toBe('plan 1');
    expect(await retainedAt(pair.standby, 'one')).toBe('plan 1');
    expect(sessions).toHaveLength(2);
  });

  it('calls nothing acknowledged that a broker which hangs has not acknowledged: the device may be there', async () => {
    const { publisher } = await openPublisher();
    pair.primary.process.suspend();

    const outcome = await send(publisher, [message('three', 'plan 2')], 500);

    expect(outcome.acknowledged).toEqual([]);
    expect(outcome.failed).toMatchObject([{ key: 'three', reason: 'not acknowledged in time' }]);
    expect(await retainedAt(pair.standby, 'three')).toBe('plan 2');
  });

  it('goes on at the other one while one is away, and its return is a session that wants everything again', async () => {
    const { publisher, sessions } = await openPublisher();
    await send(publisher, [message('four', 'plan 3')]);
    await pair.primary.process.stop(); // with plan 3 in its store
    await quickly(() => expect(publisher.brokers[0]!.publisher.connected).toBe(false));
    expect(await send(publisher, [message('four', 'plan 4')])).toEqual({ acknowledged: ['four'], failed: [] });

    await pair.primary.restart();
    expect(await retainedAt(pair.primary, 'four')).toBe('plan 3');
    await quickly(() => expect(publisher.brokers[0]!.publisher.connected).toBe(true));
    expect(sessions).toHaveLength(3);
    await send(publisher, [message('four', 'plan 5')]);

    expect(await retainedAt(pair.primary, 'four')).toBe('plan 5');
    expect(await retainedAt(pair.standby, 'four')).toBe('plan 5');
  });

  it('refuses at once when neither is there', async () => {
    const { publisher } = await openPublisher();
    await Promise.all([pair.primary.process.kill(), pair.standby.process.kill()]);
    await quickly(() => expect(publisher.connected).toBe(false));

    await expect(send(publisher, [message('five', 'plan 6')])).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' });
  });
});
