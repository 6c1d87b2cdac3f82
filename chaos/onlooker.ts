import { connect, type MqttClient } from 'mqtt';
import { isRefusal } from '../contracts/envelope';
import { parseSetpoint } from '../contracts/setpoint';
import type { BrokerUser } from '../servers/mosquitto';
import type { HeardSetpoint } from './records';

export interface WatchedBroker {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

const FILTER = 'der/setpoints/#';
const RETAINED_WITHIN_MS = 2_000;

/** Hears every setpoint at each broker, past the network that is cut; comes back by itself when a broker does. */
export function watchSetpoints(
  brokers: readonly WatchedBroker[],
  user: BrokerUser,
): { readonly heard: readonly HeardSetpoint[]; stop(): Promise<void> } {
  const heard: HeardSetpoint[] = [];
  const clients = brokers.map((broker) =>
    listen(broker, user, (setpoint) => {
      heard.push(setpoint);
    }),
  );
  return {
    heard,
    stop: async () => {
      await Promise.all(clients.map((client) => client.endAsync(true)));
    },
  };
}

/** What each broker has kept, as a device gets it that comes just now. */
export async function readRetained(brokers: readonly WatchedBroker[], user: BrokerUser): Promise<HeardSetpoint[]> {
  const found: HeardSetpoint[] = [];
  const clients = brokers.map((broker) =>
    listen(broker, user, (setpoint) => {
      if (setpoint.retained) found.push(setpoint);
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, RETAINED_WITHIN_MS));
  await Promise.all(clients.map((client) => client.endAsync(true)));
  return found;
}

function listen(
  { name, host, port }: WatchedBroker,
  { username, password }: BrokerUser,
  onSetpoint: (setpoint: HeardSetpoint) => void,
): MqttClient {
  const client = connect({
    ...{ host, port, username, password, protocolVersion: 5, clean: true },
    ...{ reconnectPeriod: 100, keepalive: 2, connectTimeout: 2_000, resubscribe: false },
  });
  client.on('error', () => undefined); // it connects again
  client.on('connect', () => {
    client.subscribe(FILTER, { qos: 1 }, () => undefined);
  });
  client.on('message', (topic, payload, { retain, properties }) => {
    const setpoint = parseSetpoint(payload);
    if (isRefusal(setpoint)) return;
    const { messageId, correlationId: planId, timestampMs, targetPowerKw, validUntilMs } = setpoint;
    onSetpoint({
      ...{ heardAtMs: Date.now(), broker: name, deviceId: topic.split('/').at(-1) ?? '', retained: retain },
      ...{ messageId, planId, timestampMs, targetPowerKw, validUntilMs },
      expirySeconds: properties?.messageExpiryInterval ?? null,
    });
  });
  return client;
}
