import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as open, connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { startMosquitto, type MosquittoOptions } from '../../local/mosquitto';
import type { MosquittoBroker } from '../../servers/mosquitto';
import { unwieldyFolder } from './checkout';

const backend = { username: 'derms', password: 'a "password" with: spaces' };
const device = { username: 'device', password: 'another' };

const DEFAULTS: IClientOptions = { protocolVersion: 5, reconnectPeriod: 0, connectTimeout: 1_000 };
const address = ({ host, port }: MosquittoBroker): string => `mqtt://${host}:${port}`;
const connect = (broker: MosquittoBroker, options: IClientOptions): Promise<MqttClient> =>
  connectAsync(address(broker), { ...DEFAULTS, ...options });

const publishMany = async (broker: MosquittoBroker, count: number): Promise<void> => {
  const client = await connect(broker, backend);
  await Promise.all(Array.from({ length: count }, (_, n) => client.publishAsync('many', String(n), { qos: 1 })));
  await client.endAsync();
};

describe('a broker in a folder with spaces, quotes and a deep path', () => {
  const folder = unwieldyFolder();
  const options: MosquittoOptions = {
    dataDir: join(folder.path, 'mosquitto'),
    users: [backend, device],
    acl: ['user derms', 'topic readwrite #', 'user device', 'topic write telemetry/#'],
  };
  let broker: MosquittoBroker;

  beforeAll(async () => {
    broker = await startMosquitto(options);
  });
  afterAll(async () => {
    await broker.stop();
    folder.remove();
  });

  it('lets users in with their password, and nobody without', async () => {
    await (await connect(broker, backend)).endAsync();
    await (await connect(broker, device)).endAsync();
    await expect(connect(broker, {})).rejects.toThrow(/Not authorized/);
    await expect(connect(broker, { ...backend, password: 'wrong' })).rejects.toThrow(/Not authorized/);
  });

  it('holds users to the access list', async () => {
    const allowed = await connect(broker, device);
    await expect(allowed.publishAsync('telemetry/x', 'yes', { qos: 1 })).resolves.toBeDefined();
    await allowed.endAsync();
    // Mosquitto 2.0.11 also ends the connection of whom it refuses.
    const refused = await connect(broker, device);
    await expect(refused.publishAsync('setpoints/x', 'no', { qos: 1 })).rejects.toThrow(/Not authorized/);
    refused.end(true);
  });

  it('keeps 5,000 messages for a client that is away, where the default keeps 1,000, also over a restart', async () => {
    const session: IClientOptions = {
      ...DEFAULTS,
      ...backend,
      clientId: 'reader',
      clean: false,
      properties: { sessionExpiryInterval: 600 },
    };
    const reader = await connect(broker, session);
    await reader.subscribeAsync('many', { qos: 1 });
    await reader.endAsync();
    await publishMany(broker, 5_000);
    await broker.stop();
    broker = await startMosquitto({ ...options, port: broker.port });

    let received = 0;
    const back = open(address(broker), { ...session, properties: { sessionExpiryInterval: 0 } });
    back.on('message', () => (received += 1));
    for (let waited = 0; received < 5_000 && waited < 5_000; waited += 50) await sleep(50);
    expect(received).toBe(5_000);
    await back.endAsync();
  });

  it('hangs while suspended, with its port open, and goes on', async () => {
    const client = await connect(broker, backend);
    broker.suspend();
    const publishing = client.publishAsync('telemetry/y', 'later', { qos: 1 });
    await expect(connect(broker, backend)).rejects.toThrow(/connack timeout/);
    broker.resume();
    await publishing;
    await client.endAsync();
  });

  it('says why it could not start when the port is in use', async () => {
    const other = { ...options, dataDir: join(folder.path, 'other'), port: broker.port };
    await expect(startMosquitto(other)).rejects.toThrow(`port ${broker.port} is in use`);
  });
});
