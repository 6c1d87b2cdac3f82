import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import {
  openSetpointPublisher,
  type OutgoingMessage,
  type PublisherContext,
  type PublishOutcome,
  type SetpointPublisher,
} from '../../../broker/setpoint-publisher';
import { eventually, testLog } from '../../support/servers';
import { startOwnBroker, type OwnBroker } from './own-broker';
import type { PublishOrder } from './publisher-process';

const DEVICES = 3_000;

let broker: OwnBroker;
let open: { close(): Promise<unknown> }[];

beforeEach(async () => {
  open = [];
  broker = await startOwnBroker();
});
afterEach(async () => {
  broker.process.resume();
  await Promise.all(open.map((each) => each.close()));
  await broker.remove();
});

const topicOf = (device: number): string => `der/setpoints/ev/ev-${String(device)}`;

/** The setpoints of one plan, one per device. */
const plan = (planId: string, devices = DEVICES, bytes = 300): OutgoingMessage[] =>
  Array.from({ length: devices }, (_, device) => ({
    key: `ev-${String(device)}`,
    topic: topicOf(device),
    payload: JSON.stringify({ planId, device, padding: 'x'.repeat(bytes) }),
    expirySeconds: 600,
  }));

async function openPublisher(context: Partial<PublisherContext> = {}): Promise<SetpointPublisher> {
  const publisher = startPublisher(context);
  await untilConnected(publisher);
  return publisher;
}

function startPublisher(context: Partial<PublisherContext> = {}): SetpointPublisher {
  const { host, port } = broker;
  const publisher = openSetpointPublisher({ host, port, clientId: 'derms-control-0' }, { log: testLog, ...context });
  open.push(publisher);
  return publisher;
}

const untilConnected = (publisher: SetpointPublisher): Promise<void> =>
  eventually(() => expect(publisher.connected).toBe(true));

interface SendOptions {
  readonly signal?: AbortSignal;
  readonly mayStillPublish?: () => boolean;
  readonly windowSize?: number;
}
const send = (
  publisher: SetpointPublisher,
  messages: readonly OutgoingMessage[],
  { signal = new AbortController().signal, mayStillPublish = () => true, ...rest }: SendOptions = {},
): Promise<PublishOutcome> => publisher.publish(messages, { signal, mayStillPublish, ...rest });

/** Calls `then` once, right before the n-th message would be sent. */
function before(nth: number, then: () => void): () => boolean {
  let asked = 0;
  return () => {
    asked += 1;
    if (asked === nth) then();
    return true;
  };
}

const reasonsOf = ({ failed }: PublishOutcome): string[] => [...new Set(failed.map(({ reason }) => reason))];

/** What a new subscriber gets: the retained message of each topic. */
async function retained(): Promise<Map<string, string>> {
  const client = await connectAsync({ host: broker.host, port: broker.port, protocolVersion: 5 });
  const found = new Map<string, string>();
  client.on('message', (topic, payload) => found.set(topic, payload.toString()));
  await client.subscribeAsync('der/setpoints/#', { qos: 1 });
  await new Promise((resolve) => setTimeout(resolve, 500));
  await client.endAsync();
  return found;
}

const planOf = (payload: string): string => (JSON.parse(payload) as { planId: string }).planId;
async function retainedPlans(): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const payload of (await retained()).values()) counts[planOf(payload)] = (counts[planOf(payload)] ?? 0) + 1;
  return counts;
}

/** A device's view: whether an older plan ever came after a newer one. Never gives up on a broker that hangs. */
async function watchOrder(): Promise<{ readonly plans: () => string[] }> {
  const client: MqttClient = await connectAsync({
    host: broker.host,
    port: broker.port,
    protocolVersion: 5,
    keepalive: 0,
    reconnectPeriod: 50,
  });
  open.push({ close: () => client.endAsync(true) });
  const seen = new Map<string, string[]>();
  client.on('message', (topic, payload) => {
    const plans = seen.get(topic) ?? [];
    seen.set(topic, plans);
    const planId = planOf(payload.toString());
    if (plans.at(-1) !== planId) plans.push(planId);
  });
  await client.subscribeAsync('der/setpoints/#', { qos: 1 });
  return { plans: () => [...new Set([...seen.values()].map((plans) => plans.join(' then ')))].sort() };
}

describe('publishing setpoints', () => {
  it('leaves each one retained at the broker for as long as it is valid', async () => {
    const publisher = await openPublisher();
    const messages = [
      { key: 'a', topic: 'der/setpoints/ev/a', payload: '{"planId":"1"}', expirySeconds: 1.9 },
      { key: 'b', topic: 'der/setpoints/ev/b', payload: '{"planId":"2"}', expirySeconds: 600 },
    ];

    expect(await send(publisher, messages)).toEqual({ acknowledged: ['a', 'b'], failed: [] });
    expect(await retainedPlans()).toEqual({ 1: 1, 2: 1 });
    await eventually(async () => expect(await retainedPlans()).toEqual({ 2: 1 }), 5_000);
  });

  it('takes 3,000 devices in less than two seconds', async () => {
    const publisher = await openPublisher();
    const startedAt = performance.now();
    const { acknowledged } = await send(publisher, plan('1'));

    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(acknowledged).toHaveLength(3_000);
  });

  it('never has more in flight than the broker allows, also with several plans at once', async () => {
    await broker.remove();
    broker = await startOwnBroker({ config: ['max_inflight_messages 10'] });
    const publisher = await openPublisher();
    const outcomes = await Promise.all(['1', '2', '3'].map((planId) => send(publisher, plan(planId, 200))));

    expect(outcomes.map(({ acknowledged }) => acknowledged.length)).toEqual([200, 200, 200]);
    expect(publisher.session).toBe(1);
  });

  it('does not let a large plan keep a small one waiting', async () => {
    const publisher = await openPublisher();
    const large = send(publisher, plan('large', 10_000));
    const small = await send(publisher, plan('small', 10));
    const first = await Promise.race([large.then(() => 'large'), Promise.resolve('small')]);

    expect(first).toBe('small');
    expect(small.acknowledged).toHaveLength(10);
    expect((await large).acknowledged).toHaveLength(10_000);
  });

  it('asks before each message, and withdraws the rest when it may publish no longer', async () => {
    const publisher = await openPublisher();
    let allowed = 700;
    const outcome = await send(publisher, plan('1'), {
      mayStillPublish: () => {
        allowed -= 1;
        return allowed >= 0;
      },
    });

    expect(outcome.acknowledged).toHaveLength(700);
    expect(outcome.failed).toHaveLength(2_300);
    expect(reasonsOf(outcome)).toEqual(['withdrawn before it was sent']);
    expect(await retainedPlans()).toEqual({ 1: 700 });
  });

  it('stops waiting when it is told to', async () => {
    const publisher = await openPublisher();
    const abort = new AbortController();
    const outcome = await send(publisher, plan('1'), {
      signal: abort.signal,
      mayStillPublish: before(1_000, () => {
        broker.process.suspend();
        setTimeout(() => abort.abort(), 200);
      }),
    });

    expect(outcome.acknowledged.length + outcome.failed.length).toBe(3_000);
    expect(outcome.acknowledged.length).toBeLessThan(1_000);
    expect(reasonsOf(outcome)).toEqual(['not acknowledged in time']);
  });

  it('sends nothing to a topic that would end the connection, and nothing that has expired', async () => {
    const publisher = await openPublisher();
    const message = { payload: '{"planId":"1"}', expirySeconds: 60 };
    const outcome = await send(publisher, [
      { ...message, key: 'hash', topic: 'der/setpoints/ev/#' },
      { ...message, key: 'plus', topic: 'der/setpoints/+/x' },
      { ...message, key: 'empty', topic: '' },
      { ...message, key: 'late', topic: 'der/setpoints/ev/late', expirySeconds: 0.5 },
      { ...message, key: 'good', topic: 'der/setpoints/ev/good' },
    ]);

    expect(outcome).toEqual({
      acknowledged: ['good'],
      failed: [
        { key: 'hash', reason: 'the topic cannot be published to' },
        { key: 'plus', reason: 'the topic cannot be published to' },
        { key: 'empty', reason: 'the topic cannot be published to' },
        { key: 'late', reason: 'expired before it was sent' },
      ],
    });
    expect(publisher.session).toBe(1);
  });

  it('tells of each message that the broker refuses, and goes on with the others', async () => {
    await broker.remove();
    broker = await startOwnBroker({ acl: ['topic write der/setpoints/ev/ev-0'] });
    const publisher = await openPublisher();
    const outcome = await send(publisher, plan('1', 2));

    expect(outcome.acknowledged).toEqual(['ev-0']);
    expect(outcome.failed).toEqual([{ key: 'ev-1', reason: expect.stringContaining('Not authorized') }]);
  });

  it('removes what is retained for a device that is gone', async () => {
    const publisher = await openPublisher();
    await send(publisher, plan('1', 2));
    await publisher.clearRetained(topicOf(0));

    expect([...(await retained()).keys()]).toEqual([topicOf(1)]);
  });
});

describe('without a broker', () => {
  it('nothing is sent, and nothing is kept to be sent later', async () => {
    const publisher = await openPublisher();
    await broker.process.stop();
    await eventually(() => expect(publisher.connected).toBe(false));
    await expect(send(publisher, plan('1', 10))).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' });
    await expect(publisher.clearRetained(topicOf(0))).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' });

    await broker.restart();
    await untilConnected(publisher);
    expect(await retainedPlans()).toEqual({});
  });

  it('the end comes in time, also when it hangs', async () => {
    const publisher = await openPublisher();
    broker.process.suspend();
    const startedAt = performance.now();
    await publisher.close();

    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});

describe('a broker session', () => {
  it('is counted, so that what an older one acknowledged can be sent again', async () => {
    const publisher = startPublisher();
    expect(publisher.session).toBe(0);
    await untilConnected(publisher);
    expect(publisher.session).toBe(1);

    await broker.process.kill();
    await eventually(() => expect(publisher.connected).toBe(false));
    await broker.restart();
    await untilConnected(publisher);
    expect(publisher.session).toBe(2);
  });

  it('is announced before anything is published in it, again and again until that succeeds', async () => {
    const announced: boolean[] = [];
    const publisher = startPublisher({
      onNewSession: () => {
        announced.push(publisher.connected);
        return announced.length < 3 ? Promise.reject(new Error('the database is away')) : Promise.resolve();
      },
    });
    await untilConnected(publisher);

    expect(announced).toEqual([false, false, false]);
  });
});

describe('the retained setpoint is never the older plan’s', () => {
  it('when the broker hangs in the middle of a plan', async () => {
    const publisher = await openPublisher();
    await send(publisher, plan('0'));
    const order = await watchOrder();
    // Large ones: when it goes on, the broker has some megabytes of the old plan before it.
    const outcome = await send(publisher, plan('1', DEVICES, 3_000), {
      mayStillPublish: before(1_000, () => broker.process.suspend()),
    });
    expect(reasonsOf(outcome)).toEqual(['the connection was lost']);
    await expect(send(publisher, plan('1'))).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' });

    broker.process.resume();
    // At once, and first to the devices whose old setpoints stand last in what it has not read.
    await eventually(() => expect(publisher.connected).toBe(true), 15_000, 0);
    expect((await send(publisher, plan('2').toReversed())).acknowledged).toHaveLength(DEVICES);

    expect(await retainedPlans()).toEqual({ 2: DEVICES });
    await eventually(() => expect(order.plans()).toEqual(['0 then 1 then 2', '0 then 2']));
  });

  it('when the broker is killed in the middle of a plan', async () => {
    const publisher = await openPublisher();
    await send(publisher, plan('0'));
    const killed = new Promise<unknown>((resolve) => {
      void send(publisher, plan('1'), { mayStillPublish: before(1_500, () => resolve(broker.process.kill())) }).then(
        (outcome) => expect(reasonsOf(outcome)).toEqual(['the connection was lost']),
      );
    });
    await killed;
    await eventually(() => expect(publisher.connected).toBe(false));
    await broker.restart();
    await untilConnected(publisher);
    const order = await watchOrder();
    expect((await send(publisher, plan('2'))).acknowledged).toHaveLength(DEVICES);

    expect(await retainedPlans()).toEqual({ 2: DEVICES });
    expect(order.plans()).toEqual(['2']);
  });

  it('when the publishing process is stopped in the middle of a plan and goes on later', async () => {
    const child = fork(join(__dirname, 'run-typescript.cjs'), [join(__dirname, 'publisher-process.ts')]);
    open.push({ close: () => end(child) });
    const { host, port } = broker;
    const order: PublishOrder = { host, port, clientId: 'derms-control-1', messages: plan('1'), withinMs: 1_000 };
    child.send(order);
    await once(child, 'message');
    child.kill('SIGSTOP');
    const publisher = await openPublisher();
    expect((await send(publisher, plan('2'))).acknowledged).toHaveLength(DEVICES);
    await new Promise((resolve) => setTimeout(resolve, 1_000)); // until its time is over
    child.kill('SIGCONT');

    const outcome = await new Promise<PublishOutcome>((resolve) => {
      child.on('message', (message: { outcome?: PublishOutcome }) => {
        if (message.outcome !== undefined) resolve(message.outcome);
      });
    });
    expect(outcome.failed.length).toBeGreaterThan(0);
    expect(await retainedPlans()).toEqual({ 2: DEVICES });
  });
});

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
