import { join } from 'node:path';
import { connect, type MqttClient } from 'mqtt';
import { parseSetpoint, type ReceivedSetpoint } from '../../contracts/setpoint';
import { isRefusal } from '../../contracts/envelope';
import { openDatabase, type Database } from '../../db/pool';
import { startTestSystem, type TestSystem, type TestSystemOptions } from '../../local/test-system';
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

const listeners = new Set<MqttClient>();

/** A client of its own that hears every setpoint, as a device would; `closeListeners` ends it. */
export async function listenToSetpoints({ stack }: TestSystem): Promise<{ seen: SeenSetpoint[] }> {
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
  listeners.add(client);
  client.on('error', () => undefined); // it connects again; a test that needs it fails on what it did not see
  client.on('message', (topic, payload, packet) => {
    const setpoint = parseSetpoint(payload);
    if (isRefusal(setpoint)) return;
    seen.push({ ...setpoint, deviceId: topic.split('/').at(-1)!, receivedAtMs: Date.now(), retained: packet.retain });
  });
  await new Promise<void>((resolve) => {
    client.once('connect', () => {
      resolve();
    });
  });
  await client.subscribeAsync('der/setpoints/#', { qos: 1 });
  return { seen };
}

export async function closeListeners(): Promise<void> {
  await Promise.all([...listeners].map((client) => client.endAsync(true)));
  listeners.clear();
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

/** The HTTP API as one user. */
export async function apiAs(system: TestSystem, user: 'admin' | 'operator' | 'viewer') {
  const token = await system.signIn(user);
  return async (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const response = await fetch(`${system.apiUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout('prefer' in headers ? 40_000 : 10_000), // `Prefer: wait=30` at most
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
export async function metric(
  url: string,
  name: string,
  labels: Record<string, string> = {},
): Promise<number | undefined> {
  const page = await (await fetch(url, { signal: AbortSignal.timeout(5_000) })).text();
  for (const line of page.split('\n')) {
    const [, found, inside = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (found === name && Object.entries(labels).every(([key, wanted]) => inside.includes(`${key}="${wanted}"`)))
      return Number(value);
  }
  return undefined;
}

export const DEMO = join(__dirname, '../../deploy/registry/demo.yaml');

/** The demo fleet under control: API, worker and simulator run, and both loops have planned. */
export async function startDemo(options: TestSystemOptions = {}): Promise<TestSystem> {
  const system = await startTestSystem(options);
  try {
    await Promise.all([system.start('api'), system.start('worker')]);
    await system.derms('registry', 'apply', DEMO);
    await system.start('simulator', ['--registry', DEMO, '--seed', '1']);
    return system;
  } catch (error) {
    await system.stop();
    throw error;
  }
}

/** Latest flow at a feeder's meter, kW. */
export async function meterKw(db: Database, feederId: string): Promise<number> {
  const { rows } = await db.query<{ flow_kw: number }>('select flow_kw from meter_state where feeder_id = $1', [
    feederId,
  ]);
  return rows[0]?.flow_kw ?? NaN;
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
