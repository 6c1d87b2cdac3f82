import { randomUUID } from 'node:crypto';
import { connectAsync, type MqttClient } from 'mqtt';
import { REFUSAL_REASONS } from '../../contracts/envelope';
import type { Database } from '../../db/pool';
import { startTestSystem, type TestSystem } from '../../local/test-system';
import { eventually } from '../support/servers';
import { apiAs, databaseOf, metric } from './support';

let system: TestSystem;
let db: Database;
let device: MqttClient;

beforeAll(async () => {
  system = await startTestSystem({ env: { MAX_AUTO_DEVICES: '3', MQTT_MAX_PAYLOAD_BYTES: '16384' } });
  db = databaseOf(system);
  await Promise.all([system.start('api'), system.start('worker')]);
  const { mosquitto, brokerUser } = system.stack;
  device = await connectAsync({ host: mosquitto.host, port: mosquitto.port, ...brokerUser, protocolVersion: 5 });
}, 60_000);
afterAll(async () => {
  await device.endAsync();
  await db.close();
  await system.stop();
}, 30_000);

type Body = Record<string, unknown>;
const telemetry = (deviceId: string, change: Body = {}, readings: Body = {}): Body => ({
  v: 1,
  messageType: 'telemetry',
  messageId: randomUUID(),
  deviceId,
  deviceType: 'ev',
  timestampMs: Date.now(),
  source: 'pi-agent',
  payload: {
    readings: { powerKw: 3, soc: 40, ...readings },
    status: { online: true, faultCode: '' },
    capabilities: { maxImportKw: 11 },
    feederId: 'barn',
  },
  ...change,
});
const send = (topic: string, body: Body | string): Promise<unknown> =>
  device.publishAsync(topic, typeof body === 'string' ? body : JSON.stringify(body), { qos: 1 });
const topicOf = (deviceId: string): string => `der/telemetry/ev/${deviceId}`;
const ingestMetrics = (): string => `http://127.0.0.1:${String(system.ports.metrics + 3)}/metrics`;
const refused = async (reason: string): Promise<number> =>
  (await metric(ingestMetrics(), 'derms_ingest_refused_total', { reason })) ?? 0;

it.each`
  what                               | reason               | topic                        | body
  ${'broken JSON'}                   | ${'malformed-json'}  | ${topicOf('ev-1')}           | ${'{"v":1,'}
  ${'an unknown version'}            | ${'unknown-version'} | ${topicOf('ev-1')}           | ${telemetry('ev-1', { v: 2 })}
  ${'another type of message'}       | ${'unknown-type'}    | ${topicOf('ev-1')}           | ${telemetry('ev-1', { messageType: 'telepathy' })}
  ${'no readings'}                   | ${'missing-field'}   | ${topicOf('ev-1')}           | ${telemetry('ev-1', { payload: {} })}
  ${'power that is no number'}       | ${'invalid-number'}  | ${topicOf('ev-1')}           | ${telemetry('ev-1', {}, { powerKw: '3' })}
  ${'power that is not finite'}      | ${'invalid-number'}  | ${topicOf('ev-1')}           | ${JSON.stringify(telemetry('ev-1')).replace('"powerKw":3', '"powerKw":1e999')}
  ${'a sample of the future'}        | ${'in-the-future'}   | ${topicOf('ev-1')}           | ${telemetry('ev-1', { timestampMs: Date.now() + 120_000 })}
  ${'a sample older than is kept'}   | ${'too-old'}         | ${topicOf('ev-1')}           | ${telemetry('ev-1', { timestampMs: Date.now() - 40 * 86_400_000 })}
  ${'more bytes than are taken'}     | ${'too-large'}       | ${topicOf('ev-1')}           | ${telemetry('ev-1', { note: 'x'.repeat(20_000) })}
  ${'an id with a slash'}            | ${'invalid-id'}      | ${'der/telemetry/ev/a/b'}    | ${telemetry('a/b')}
  ${'an id with quotes'}             | ${'invalid-id'}      | ${`der/telemetry/ev/a"';--`} | ${telemetry(`a"';--`)}
  ${'an id with wildcards'}          | ${'invalid-id'}      | ${'der/telemetry/ev/ev-1'}   | ${telemetry('#')}
  ${'an id of 10 kB'}                | ${'invalid-id'}      | ${'der/telemetry/ev/long'}   | ${telemetry('x'.repeat(10_240))}
  ${'an id that is not the topic’s'} | ${'topic-mismatch'}  | ${topicOf('ev-2')}           | ${telemetry('ev-1')}
  ${'a meter of an unknown feeder'}  | ${'unknown-feeder'}  | ${'der/meters/nowhere'}      | ${{ v: 1, messageType: 'measurement', messageId: randomUUID(), feederId: 'nowhere', timestampMs: Date.now(), payload: { flowKw: 1 } }}
`(
  'refuses and counts $what as $reason',
  async ({ reason, topic, body }: { reason: string; topic: string; body: Body | string }) => {
    const before = await refused(reason);
    await send(topic, body);
    await eventually(async () => expect(await refused(reason)).toBe(before + 1));
  },
);

it('takes the good ones in between: a new device appears with its feeder, its percentage scaled', async () => {
  await send(topicOf('ev-1'), telemetry('ev-1'));
  await eventually(async () => {
    const { rows } = await db.query(
      'select device_id, feeder_id, soc, power_kw, online, fault_code from devices join device_state using (device_key)',
    );
    expect(rows).toEqual([
      { device_id: 'ev-1', feeder_id: 'barn', soc: 0.4, power_kw: 3, online: true, fault_code: null },
    ]);
  });
  const { rows } = await db.query('select feeder_id, import_limit_kw, origin from feeders');
  expect(rows).toEqual([{ feeder_id: 'barn', import_limit_kw: 100, origin: 'wire' }]);
});

it('starts the control loop of a feeder that the wire has added', async () => {
  await eventually(async () => {
    const { rows } = await db.query(
      "select 1 from control_loops where root_feeder_id = 'barn' and finished_at is not null",
    );
    expect(rows).toHaveLength(1);
  }, 30_000);
});

it('refuses a device that comes back as another type', async () => {
  const before = await refused('wrong-device-type');
  const body = telemetry('ev-1', { deviceType: 'pv', payload: { readings: { powerKw: 1 }, status: { online: true } } });
  await send('der/telemetry/pv/ev-1', body);
  await eventually(async () => expect(await refused('wrong-device-type')).toBe(before + 1));
});

it('stores a repeated message once, and lets a late sample be stored without making it the newest', async () => {
  const at = Date.now();
  const sample = telemetry('ev-1', { timestampMs: at }, { powerKw: 7 });
  await send(topicOf('ev-1'), sample);
  await send(topicOf('ev-1'), sample);
  await send(topicOf('ev-1'), telemetry('ev-1', { timestampMs: at - 60_000 }, { powerKw: 1 }));
  await eventually(async () => {
    const { rows } = await db.query<{ count: string }>(
      'select count(*) from telemetry where sampled_at in (to_timestamp($1 / 1000.0), to_timestamp($2 / 1000.0))',
      [at, at - 60_000],
    );
    expect(rows[0]?.count).toBe('2');
  });
  const { rows } = await db.query(
    'select power_kw from device_state join devices using (device_key) where device_id = $1',
    ['ev-1'],
  );
  expect(rows).toEqual([{ power_kw: 7 }]);
});

it('does not let the wire add more devices than it may', async () => {
  const before = await refused('registry-full');
  for (const id of ['ev-2', 'ev-3', 'ev-4', 'ev-5']) await send(topicOf(id), telemetry(id));
  await eventually(async () => expect(await refused('registry-full')).toBe(before + 2));
  const { rows } = await db.query('select device_id from devices order by 1');
  expect(rows).toHaveLength(3);
});

it('keeps samples of what was refused, cut to size, where an operator can read them', async () => {
  const operator = await apiAs(system, 'operator');
  await eventually(async () => {
    const { status, body } = await operator('GET', '/api/telemetry/rejected?limit=100');
    expect(status).toBe(200);
    const items = body['items'] as { reason: string; payload: string; topic: string }[];
    expect(new Set(items.map(({ reason }) => reason)).size).toBeGreaterThanOrEqual(10);
    for (const { payload, topic } of items) {
      expect(payload.length).toBeLessThanOrEqual(1_024);
      expect(topic.length).toBeLessThanOrEqual(256);
    }
  });
  expect(REFUSAL_REASONS).toContain('database-refused');
});

it('has crashed nowhere, and has published to no topic but those of devices', async () => {
  expect(system.running('worker').isRunning()).toBe(true);
  expect(
    await metric(`http://127.0.0.1:${String(system.ports.metrics)}/metrics`, 'derms_worker_role_restarts_total', {
      worker_role: 'ingest',
    }),
  ).toBe(0);
  const { mosquitto, brokerUser } = system.stack;
  const listener = await connectAsync({
    host: mosquitto.host,
    port: mosquitto.port,
    ...brokerUser,
    protocolVersion: 5,
  });
  try {
    const topics: string[] = [];
    listener.on('message', (topic, _payload, packet) => {
      if (packet.retain) topics.push(topic);
    });
    await listener.subscribeAsync('der/#', { qos: 1 });
    await eventually(
      async () => {
        await listener.unsubscribeAsync('der/#');
        await listener.subscribeAsync('der/#', { qos: 1 }); // hands out what is retained by now
        expect(topics.length).toBeGreaterThan(0);
      },
      30_000,
      500,
    );
    for (const topic of topics) expect(topic).toMatch(/^der\/setpoints\/ev\/ev-[1-4]$/);
  } finally {
    await listener.endAsync();
  }
});
