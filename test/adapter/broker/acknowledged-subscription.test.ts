import { randomUUID } from 'node:crypto';
import { connectAsync, type MqttClient } from 'mqtt';
import {
  openAcknowledgedSubscription,
  type AcknowledgedSubscription,
  type SubscriptionOptions,
} from '../../../broker/acknowledged-subscription';
import { eventually, testLog, testServers } from '../../support/servers';
import { ERROR, recordingLog } from './log-lines';
import { startOwnBroker, type OwnBroker } from './own-broker';
import { openTcpProxy, type TcpProxy } from './tcp-proxy';

/** What a subscriber saw, in order. */
interface Subscriber {
  readonly subscription: AcknowledgedSubscription;
  readonly payloads: string[];
  readonly sequences: number[];
}

let publisher: MqttClient;
let proxy: TcpProxy;
let prefix: string;
let open: { close(): Promise<unknown> }[];

beforeAll(async () => {
  const { host, port, username, password } = testServers().mqtt;
  publisher = await connectAsync({ host, port, username, password, protocolVersion: 5 });
});
afterAll(() => publisher.endAsync());
beforeEach(async () => {
  proxy = await openTcpProxy(testServers().mqtt);
  prefix = `test-${randomUUID()}`;
  open = [];
});
afterEach(async () => {
  await Promise.all(open.map((each) => each.close()));
  await proxy.close();
});

function subscribe(options: Partial<SubscriptionOptions> = {}): Subscriber {
  const { username, password } = testServers().mqtt;
  const payloads: string[] = [];
  const sequences: number[] = [];
  const subscription = openAcknowledgedSubscription(
    {
      host: proxy.host,
      port: proxy.port,
      username,
      password,
      clientId: `${prefix}-client`,
      filters: [`$share/${prefix}/${prefix}/#`],
      sessionExpirySeconds: 60,
      receiveMaximum: 1_000,
      ...options,
    },
    (_topic, payload, sequence) => {
      payloads.push(payload.toString());
      sequences.push(sequence);
    },
    { log: testLog },
  );
  open.push(subscription);
  return { subscription, payloads, sequences };
}

const untilSubscribed = (...subscribers: Subscriber[]): Promise<void> =>
  eventually(() => {
    if (!subscribers.every(({ subscription }) => subscription.subscribed)) throw new Error('not subscribed');
  });
const untilReceived = ({ payloads }: Subscriber, count: number): Promise<void> =>
  eventually(() => expect(payloads.length).toBeGreaterThanOrEqual(count));
const quiet = (ms = 300): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const publish = (from: number, to: number, qos: 0 | 1 = 1): Promise<unknown> =>
  Promise.all(
    Array.from({ length: to - from }, (_, n) => publisher.publishAsync(`${prefix}/x`, String(from + n), { qos })),
  );
const numbers = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, n) => String(from + n));

/** The connection breaks without a goodbye, as in a crash, and a new process with the same client id takes over. */
async function crash({ subscription }: Subscriber): Promise<void> {
  proxy.cut();
  await subscription.close();
}

describe('a message that was received', () => {
  it('comes again to the next process when this one crashes before it acknowledges', async () => {
    const before = subscribe();
    await untilSubscribed(before);
    await publish(0, 5);
    await untilReceived(before, 5);
    await crash(before);

    const after = subscribe();
    await untilReceived(after, 5);
    expect(after.payloads).toEqual(numbers(0, 5));
  });

  it('does not come again once it was acknowledged', async () => {
    const before = subscribe();
    await untilSubscribed(before);
    await publish(0, 5);
    await untilReceived(before, 5);
    before.subscription.acknowledgeThrough(5);
    expect(before.subscription.unacknowledged).toBe(0);
    await before.subscription.close();

    const after = subscribe();
    await untilSubscribed(after);
    await publish(5, 6);
    await untilReceived(after, 1);
    expect(after.payloads).toEqual(['5']);
  });

  it('is acknowledged with all before it and none after it', async () => {
    const before = subscribe();
    await untilSubscribed(before);
    await publish(0, 10);
    await untilReceived(before, 10);
    expect(before.sequences).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    before.subscription.acknowledgeThrough(3);
    before.subscription.acknowledgeThrough(7);
    before.subscription.acknowledgeThrough(5);
    await quiet(); // crash only after the broker has read them
    await crash(before);

    const after = subscribe();
    await untilReceived(after, 3);
    await quiet();
    expect(after.payloads).toEqual(['7', '8', '9']);
  });

  it('is not acknowledged by an answer that comes after its connection was lost', async () => {
    const before = subscribe();
    await untilSubscribed(before);
    await publish(0, 5);
    await untilReceived(before, 5);
    proxy.cut();
    await untilReceived(before, 10); // again, on the next connection, with the same packet ids
    expect(before.sequences.slice(5)).toEqual([6, 7, 8, 9, 10]);
    before.subscription.acknowledgeThrough(5);
    await quiet();
    expect(before.subscription.unacknowledged).toBe(5);
    await crash(before);

    const after = subscribe();
    await untilReceived(after, 5);
    expect(after.payloads).toEqual(numbers(0, 5));
  });

  it('wants no acknowledgement when it was sent with QoS 0', async () => {
    const subscriber = subscribe();
    await untilSubscribed(subscriber);
    await publish(0, 1);
    await publish(1, 2, 0);
    await publish(2, 3);
    await untilReceived(subscriber, 3);

    expect(subscriber.sequences).toEqual([1, 1, 2]);
    expect(subscriber.subscription.unacknowledged).toBe(2);
  });
});

describe('the receive maximum', () => {
  it('bounds what is unacknowledged, whatever the broker sends ahead of it', async () => {
    const subscriber = subscribe({ receiveMaximum: 100 });
    await untilSubscribed(subscriber);
    await publish(0, 1_000);
    await untilReceived(subscriber, 100);
    await quiet();
    expect(subscriber.payloads).toHaveLength(100);

    // Mosquitto 2.0.11 sends a hundred more for this one.
    subscriber.subscription.acknowledgeThrough(1);
    await quiet();
    expect(subscriber.subscription.unacknowledged).toBe(100);
    expect(subscriber.payloads).toEqual(numbers(0, 101));
  });

  it('lets everything through in the end, in order and once', async () => {
    const subscriber = subscribe({ receiveMaximum: 100 });
    await untilSubscribed(subscriber);
    const acknowledging = setInterval(() => {
      subscriber.subscription.acknowledgeThrough(subscriber.sequences.at(-1) ?? 0);
    }, 5);
    await publish(0, 2_000);
    await untilReceived(subscriber, 2_000);
    clearInterval(acknowledging);

    expect(subscriber.payloads).toEqual(numbers(0, 2_000));
  });

  it('keeps the connection alive while it holds everything back', async () => {
    const subscriber = subscribe({ receiveMaximum: 100 });
    await untilSubscribed(subscriber);
    await publish(0, 1_000);
    await untilReceived(subscriber, 100);
    await quiet(7_000); // the broker gives up a silent client after 3 s, mqtt.js a silent broker as well

    expect(subscriber.payloads).toHaveLength(100);
    expect(subscriber.subscription.connected).toBe(true);
    subscriber.subscription.acknowledgeThrough(100);
    await untilReceived(subscriber, 200);
    expect(subscriber.payloads).toEqual(numbers(0, 200));
  });

  it('holds back again after a lost connection', async () => {
    const subscriber = subscribe({ receiveMaximum: 100 });
    await untilSubscribed(subscriber);
    await publish(0, 500);
    await untilReceived(subscriber, 100);
    subscriber.subscription.acknowledgeThrough(1); // now a packet waits for room
    await untilReceived(subscriber, 101);
    proxy.cut();
    await untilReceived(subscriber, 201);
    await quiet();

    expect(subscriber.subscription.unacknowledged).toBe(100);
    expect(subscriber.payloads).toHaveLength(201);
  });
});

describe('a shared subscription', () => {
  it('gives each message to one of the processes', async () => {
    const one = subscribe({ clientId: `${prefix}-one` });
    const two = subscribe({ clientId: `${prefix}-two` });
    await untilSubscribed(one, two);
    await publish(0, 400);
    await eventually(() => expect(one.payloads.length + two.payloads.length).toBe(400));

    expect(one.payloads.length).toBeGreaterThan(100);
    expect(two.payloads.length).toBeGreaterThan(100);
    expect(new Set([...one.payloads, ...two.payloads]).size).toBe(400);
  });

  it('keeps what comes while its process is away', async () => {
    const before = subscribe();
    await untilSubscribed(before);
    await before.subscription.close();
    await publish(0, 3_000); // more than the 1,000 that Mosquitto keeps by default
    const after = subscribe({ receiveMaximum: 4_000 });
    await untilReceived(after, 3_000);

    expect(after.payloads).toEqual(numbers(0, 3_000));
  });
});

describe('with a broker of its own, a subscription', () => {
  let broker: OwnBroker;
  afterEach(() => broker.remove());

  it('is made again when the broker has lost its session', async () => {
    broker = await startOwnBroker();
    const subscriber = subscribe({ host: broker.host, port: broker.port });
    await untilSubscribed(subscriber);
    await broker.process.kill(); // nothing was saved yet
    await eventually(() => expect(subscriber.subscription.connected).toBe(false));
    await broker.restart();
    await eventually(() => expect(subscriber.subscription.connected).toBe(true));
    await untilSubscribed(subscriber);

    const device = await connectAsync({ host: broker.host, port: broker.port, protocolVersion: 5 });
    await device.publishAsync(`${prefix}/x`, 'after', { qos: 1 });
    await untilReceived(subscriber, 1);
    await device.endAsync();
    expect(subscriber.payloads).toEqual(['after']);
  });

  it('that the broker grants without QoS 1 is told as an error, and is not taken for granted', async () => {
    broker = await startOwnBroker({ config: ['max_qos 0'] });
    const { log, lines } = recordingLog();
    const subscription = openAcknowledgedSubscription(
      {
        host: broker.host,
        port: broker.port,
        clientId: 'refused',
        filters: ['telemetry/#'],
        sessionExpirySeconds: 60,
        receiveMaximum: 10,
      },
      () => undefined,
      { log },
    );
    open.push(subscription);
    await eventually(() =>
      expect(lines).toContainEqual(
        expect.objectContaining({ level: ERROR, msg: 'the broker refuses the subscription', filters: ['telemetry/#'] }),
      ),
    );

    expect(subscription.subscribed).toBe(false);
  });
});
