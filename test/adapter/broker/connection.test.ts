import { connectToBroker, type BrokerConnection } from '../../../broker/connection';
import { createRegistry, type Registry } from '../../../observability/metrics';
import { eventually } from '../../support/servers';
import { recordingLog, WARN } from './log-lines';
import { startOwnBroker, type OwnBroker } from './own-broker';

const USER = { username: 'derms', password: 'right' };

let broker: OwnBroker;
const open: BrokerConnection[] = [];

beforeAll(async () => {
  broker = await startOwnBroker({ users: [USER] });
});
afterEach(async () => {
  broker.process.resume();
  await Promise.all(open.splice(0).map((connection) => connection.close()));
});
afterAll(() => broker.remove());

function connectAs(user: Partial<typeof USER> = {}) {
  const registry = createRegistry('test');
  const { log, lines } = recordingLog();
  const { host, port } = broker;
  const clientId = `derms-test-${String(Math.random())}`;
  const connection = connectToBroker({ host, port, clientId, ...USER, ...user }, {}, { log, registry });
  open.push(connection);
  return { connection, lines, registry };
}

const valueOf = async (registry: Registry, name: string): Promise<number | undefined> =>
  (await registry.getSingleMetric(name)?.get())?.values[0]?.value;

const untilConnected = (connection: BrokerConnection): Promise<void> =>
  eventually(() => {
    if (!connection.connected) throw new Error('not connected');
  });
const untilLost = (connection: BrokerConnection): Promise<void> =>
  eventually(() => {
    if (connection.connected) throw new Error('still connected');
  });

describe('the connection to the broker', () => {
  it('tells of itself in log and metrics, with host and port', async () => {
    const { connection, lines, registry } = connectAs();
    expect(await valueOf(registry, 'derms_mqtt_up')).toBe(0);
    await untilConnected(connection);

    const where = { mqttHost: '127.0.0.1', mqttPort: broker.port };
    await eventually(() =>
      expect(lines).toContainEqual(expect.objectContaining({ ...where, msg: 'connected to the broker' })),
    );
    expect(await valueOf(registry, 'derms_mqtt_up')).toBe(1);

    await connection.close();
    expect(lines).toContainEqual(expect.objectContaining({ ...where, msg: 'disconnected from the broker' }));
    expect(await valueOf(registry, 'derms_mqtt_up')).toBe(0);
    expect(await valueOf(registry, 'derms_mqtt_disconnects_total')).toBe(0);
  });

  it('comes back by itself when the broker does, and counts the loss', async () => {
    const { connection, lines, registry } = connectAs();
    await untilConnected(connection);
    await broker.process.kill();
    await untilLost(connection);
    expect(await valueOf(registry, 'derms_mqtt_up')).toBe(0);
    expect(await valueOf(registry, 'derms_mqtt_disconnects_total')).toBe(1);

    await broker.restart();
    await untilConnected(connection);
    const where = { mqttHost: '127.0.0.1', mqttPort: broker.port };
    expect(lines).toContainEqual(expect.objectContaining({ ...where, level: WARN, msg: 'lost the broker' }));
    await eventually(async () => expect(await valueOf(registry, 'derms_mqtt_up')).toBe(1));
  });

  it('tells an outage once and not five times a second', async () => {
    const { connection, lines } = connectAs();
    await untilConnected(connection);
    await broker.process.kill();
    await untilLost(connection);
    await new Promise((resolve) => setTimeout(resolve, 1_500));

    expect(lines.filter(({ msg }) => msg === 'the broker connection failed').length).toBeLessThanOrEqual(2);
    await broker.restart();
  });

  it('notices a broker that hangs within four and a half seconds', async () => {
    const { connection } = connectAs();
    await untilConnected(connection);
    expect(await connection.probe()).toBe(true);

    broker.process.suspend();
    const startedAt = performance.now();
    await untilLost(connection);
    expect(performance.now() - startedAt).toBeLessThan(4_500);

    broker.process.resume();
    await untilConnected(connection);
  });

  it('answers a probe in time when the broker does not', async () => {
    const { connection } = connectAs();
    await untilConnected(connection);
    broker.process.suspend();

    const startedAt = performance.now();
    expect(await connection.probe(300)).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(600);
  });

  it('answers a probe at once when there is no connection', async () => {
    const { connection } = connectAs({ password: 'wrong' });

    expect(await connection.probe()).toBe(false);
  });

  it('ends in time when the broker hangs', async () => {
    const { connection } = connectAs();
    await untilConnected(connection);
    broker.process.suspend();

    const startedAt = performance.now();
    await connection.close();
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  it('goes on trying when the broker refuses it, as one does that is starting', async () => {
    const { connection, lines } = connectAs({ password: 'wrong' });
    await eventually(() =>
      expect(lines.filter(({ msg }) => msg === 'connecting to the broker again').length).toBeGreaterThanOrEqual(2),
    );

    expect(connection.connected).toBe(false);
    expect(JSON.stringify(lines)).not.toContain('wrong');
  });
});
