import { setTimeout as sleep } from 'node:timers/promises';
import { parseSetpoint } from '../contracts/setpoint';
import { isRefusal } from '../contracts/envelope';
import { topics } from '../contracts/topics';
import type { Logger } from '../observability/logger';
import { connectToBroker, type BrokerConnection, type BrokerOptions } from './connection';

export interface RetainedSetpoint {
  readonly topic: string;
  /** `deviceType/deviceId`, as the topic says. */
  readonly device: string;
  /** null: no setpoint of ours. */
  readonly sentAtMs: number | null;
}

const CONNECT_WITHIN_MS = 5_000;
/** The broker sends what it retains in one go: silence of this long after the last one is the end, ms. */
const QUIET_MS = 1_000;
const LOOK_EVERY_MS = 50;

/**
 * Reads what the broker retains under the prefix, and lets the caller clear some of it.
 *
 * Rejects when the broker does not answer or goes away meanwhile.
 */
export async function withRetainedSetpoints<T>(
  broker: BrokerOptions & { readonly prefix: string },
  log: Logger,
  work: (found: readonly RetainedSetpoint[], clear: (topic: string) => Promise<void>) => Promise<T>,
): Promise<T> {
  const connection = connectToBroker(broker, {}, { log });
  try {
    await connected(connection, broker);
    const found = await retained(connection, broker.prefix);
    return await work(found, async (topic) => {
      await connection.client.publishAsync(topic, '', { qos: 1, retain: true });
    });
  } finally {
    await connection.close();
  }
}

async function connected({ client }: BrokerConnection, { host, port }: BrokerOptions): Promise<void> {
  const until = performance.now() + CONNECT_WITHIN_MS;
  let why = 'no answer in time';
  client.on('error', ({ message }) => (why = message));
  while (!client.connected && performance.now() < until) await sleep(LOOK_EVERY_MS);
  if (!client.connected) throw new Error(`the broker at ${host}:${String(port)} does not answer: ${why}`);
}

async function retained({ client }: BrokerConnection, prefix: string): Promise<RetainedSetpoint[]> {
  const found = new Map<string, RetainedSetpoint>();
  let lastAt = performance.now();
  client.on('message', (topic, payload, { retain }) => {
    if (!retain) return;
    lastAt = performance.now();
    const setpoint = parseSetpoint(payload);
    const sentAtMs = isRefusal(setpoint) || !Number.isFinite(setpoint.timestampMs) ? null : setpoint.timestampMs;
    found.set(topic, { topic, device: topic.slice(`${prefix}/setpoints/`.length), sentAtMs });
  });
  const [granted] = await client.subscribeAsync(topics(prefix).setpointsFilter, { qos: 1 });
  if (granted === undefined || granted.qos > 2) throw new Error('the broker does not let us read setpoints');
  lastAt = performance.now();
  while (performance.now() - lastAt < QUIET_MS) {
    if (!client.connected) throw new Error('the broker went away while it was read');
    await sleep(LOOK_EVERY_MS);
  }
  return [...found.values()];
}
