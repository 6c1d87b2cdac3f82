import { connect, type MqttClient } from 'mqtt';
import { parseSetpoint, type ReceivedSetpoint } from '../../contracts/setpoint';
import { isRefusal } from '../../contracts/envelope';
import { openDatabase, type Database } from '../../db/pool';
import type { TestSystem } from '../../local/test-system';
import { testLog } from '../support/servers';

/** The tables as the application sees them. */
export function databaseOf({ environments }: TestSystem): Database {
  const env = environments.worker;
  return openDatabase(
    {
      host: env['DB_HOST']!,
      port: Number(env['DB_PORT']),
      database: env['DB_NAME']!,
      user: env['DB_USER']!,
      password: env['DB_PASSWORD']!,
      poolSize: 3,
      connectTimeoutMs: 2_000,
      queryTimeoutMs: 5_000,
      applicationName: 'e2e',
    },
    testLog,
  );
}

export interface SeenSetpoint extends ReceivedSetpoint {
  readonly deviceId: string;
  readonly receivedAtMs: number;
  readonly retained: boolean;
}

/** A client of its own that hears every setpoint, as a device would. */
export async function listenToSetpoints({ stack }: TestSystem): Promise<{ seen: SeenSetpoint[]; client: MqttClient; close: () => Promise<void> }> {
  const seen: SeenSetpoint[] = [];
  const client = connect({
    host: stack.mosquitto.host,
    port: stack.mosquitto.port,
    username: stack.brokerUser.username,
    password: stack.brokerUser.password,
    protocolVersion: 5,
    reconnectPeriod: 200,
    keepalive: 2,
  });
  client.on('message', (topic, payload, packet) => {
    const setpoint = parseSetpoint(payload);
    if (isRefusal(setpoint)) return;
    seen.push({ ...setpoint, deviceId: topic.split('/').at(-1)!, receivedAtMs: Date.now(), retained: packet.retain });
  });
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => {
      resolve();
    });
    client.once('error', reject);
  });
  await client.subscribeAsync('der/setpoints/#', { qos: 1 });
  return { seen, client, close: () => client.endAsync(true) };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

/** The HTTP API as one user. */
export async function apiAs(system: TestSystem, user: 'admin' | 'operator' | 'viewer') {
  const token = await system.signIn(user);
  return async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> => {
    const response = await fetch(`${system.apiUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>,
    };
  };
}

/** One figure from a Prometheus page; undefined when it is not there. */
export async function metric(url: string, name: string, labels: Record<string, string> = {}): Promise<number | undefined> {
  const page = await (await fetch(url, { signal: AbortSignal.timeout(5_000) })).text();
  for (const line of page.split('\n')) {
    const [, found, inside = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (found === name && Object.entries(labels).every(([key, wanted]) => inside.includes(`${key}="${wanted}"`))) return Number(value);
  }
  return undefined;
}
