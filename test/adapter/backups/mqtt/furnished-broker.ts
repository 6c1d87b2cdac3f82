import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { localBrokerStore } from '../../../../backups/mqtt/local-broker-store';
import type { BrokerStore } from '../../../../backups/mqtt/broker-store';
import { startOwnBroker, type OwnBroker } from '../../broker/own-broker';

/** A real broker that a test may hurt, with its store reached by pid file and path. */
export interface FurnishedBroker extends OwnBroker {
  readonly store: BrokerStore;
  connect(options?: IClientOptions): Promise<MqttClient>;
}

export async function startFurnishedBroker(config: readonly string[] = []): Promise<FurnishedBroker> {
  const broker = await startOwnBroker({ config });
  const { storeFile: storePath, pidFile } = broker.process;
  return Object.assign(broker, {
    store: localBrokerStore({ name: 'local', storePath, process: { pidFile }, saveWithinMs: 20_000 }),
    connect: (options: IClientOptions = {}) =>
      connectAsync(`mqtt://${broker.host}:${broker.port}`, { protocolVersion: 5, reconnectPeriod: 0, ...options }),
  });
}

/**
 * What a fleet leaves in a broker: `retained` setpoints, some that expire, sessions of MQTT 5 and 3.1.1 with messages
 * of QoS 1 and 2 that wait for them, one that shares a subscription, one whose client is there, one without a user name.
 */
export async function furnish(broker: FurnishedBroker, retained: number): Promise<{ readonly stay: MqttClient }> {
  const away: IClientOptions[] = [
    { clientId: 'ingest', protocolVersion: 5, username: 'derms', properties: { sessionExpiryInterval: 3_600 } },
    { clientId: 'agent-3.1.1', protocolVersion: 4, username: 'device' },
    { clientId: 'nameless', protocolVersion: 4 },
    { clientId: 'shares', protocolVersion: 5, username: 'derms', properties: { sessionExpiryInterval: 3_600 } },
  ];
  for (const options of away) {
    const client = await broker.connect({ ...options, clean: false });
    const filter = options.clientId === 'shares' ? '$share/group/queue/#' : 'queue/#';
    await client.subscribeAsync(filter, { qos: 2 });
    await client.endAsync();
  }
  const properties = { sessionExpiryInterval: 3_600 };
  const stay = await broker.connect({ clientId: 'stays', clean: false, username: 'derms', properties });
  await stay.subscribeAsync('elsewhere/#', { qos: 1 });
  await publish(stay, retained, (n) => [`der/setpoints/pv/pv-${n}`, { qos: 1, retain: true }]);
  await stay.publishAsync('der/expires', 'soon enough', {
    qos: 1,
    retain: true,
    properties: { messageExpiryInterval: 3_600, userProperties: { plan: 'p-1' }, contentType: 'text' },
  });
  await publish(stay, 30, (n) => [`queue/${n}`, { qos: 1 }]);
  await publish(stay, 20, (n) => [`queue/${n}`, { qos: 2 }]);
  return { stay };
}

async function publish(
  client: MqttClient,
  count: number,
  message: (n: number) => [topic: string, options: { readonly qos: 1 | 2; readonly retain?: boolean }],
): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, (_, n) => {
      const [topic, options] = message(n);
      return client.publishAsync(topic, `{"n":${n}}`, options);
    }),
  );
}
