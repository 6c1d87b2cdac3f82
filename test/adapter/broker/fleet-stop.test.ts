import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { connectAsync, type MqttClient } from 'mqtt';
import { watchEmergencyLatch, type EmergencyLatch } from '../../../broker/emergency-latch';
import { openEmergencyBroker, stopFleet, type FleetStop } from '../../../broker/fleet-stop';
import type { HeldEmergencyStop } from '../../../contracts/emergency-stop';
import { isRefusal } from '../../../contracts/envelope';
import { parseSetpoint, setpointMessage, type ReceivedSetpoint } from '../../../contracts/setpoint';
import type { DeviceType, SafeState } from '../../../domain/fleet';
import { eventually, testLog } from '../../support/servers';
import { startOwnBroker, type OwnBroker } from './own-broker';

const STOP_ID = '11111111-1111-4111-8111-111111111111';
const PLAN_ID = '22222222-2222-4222-8222-222222222222';
const stop = (safeState: SafeState): HeldEmergencyStop => ({
  ...{ stopId: STOP_ID, safeState, reason: 'people on the line', engagedBy: 'ann', engagedAtMs: Date.now() },
});

const other = {
  stop: { ...stop('default'), stopId: '33333333-3333-4333-8333-333333333333' },
  zeroValidSeconds: 3_600,
  listenSeconds: 0,
};

let broker: OwnBroker;
let field: MqttClient;
let heard: Map<string, ReceivedSetpoint & { retain: boolean }>;
const open: { close(): Promise<unknown> }[] = [];

beforeEach(async () => {
  broker = await startOwnBroker();
  field = await connectAsync({ host: broker.host, port: broker.port, protocolVersion: 5 });
  heard = new Map();
  field.on('message', (topic, payload, { retain }) => {
    const setpoint = parseSetpoint(payload);
    if (!isRefusal(setpoint)) heard.set(topic.split('/').at(-1)!, { ...setpoint, retain });
  });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
  await field.endAsync(true);
  await broker.remove();
});

const at = () => ({ host: broker.host, port: broker.port, prefix: 'der', clientId: 'derms-emergency-test' });

/** A setpoint as a plan published it, valid for a minute. */
const command = (deviceType: DeviceType, deviceId: string, targetKw: number): Promise<unknown> =>
  field.publishAsync(
    `der/setpoints/${deviceType}/${deviceId}`,
    JSON.stringify(
      setpointMessage({
        ...{ messageId: PLAN_ID, planId: PLAN_ID, deviceId, deviceType, sign: null, targetKw },
        ...{
          timestampMs: Date.now(),
          validUntilMs: Date.now() + 60_000,
          rampKwPerS: null,
          allocator: 'plan',
          notes: '',
        },
      }),
    ),
    { qos: 1, retain: true },
  );

const begin = (safeState: SafeState, listenSeconds: number): FleetStop =>
  stopFleet(at(), { stop: stop(safeState), zeroValidSeconds: 3_600, listenSeconds }, testLog);

async function watch(): Promise<{ latch: EmergencyLatch; changes: (string | null)[] }> {
  const changes: (string | null)[] = [];
  const latch = watchEmergencyLatch(
    { ...at(), clientId: 'derms-control-0-stop' },
    (held) => {
      changes.push(held?.stopId ?? null);
    },
    { log: testLog },
  );
  open.push(latch);
  await eventually(() => expect(latch.held).not.toBe('unknown'));
  return { latch, changes };
}

describe('stopFleet', () => {
  it('tells zero to every device that the broker retains a setpoint of, and the broker holds the stop', async () => {
    await command('ev', 'ev-1', 11);
    await command('battery', 'battery-1', -4);
    await command('pv', 'pv-1', -60);
    const fleet = begin('zero', 0);
    expect(await fleet.first).toEqual({ told: 3, untold: [], missed: [] });
    await fleet.done;
    await field.subscribeAsync('der/setpoints/#', { qos: 1 });
    await eventually(() => expect(heard.size).toBe(3));
    for (const setpoint of heard.values()) {
      expect(setpoint).toMatchObject({ targetPowerKw: 0, correlationId: STOP_ID, retain: true });
      expect(setpoint.validUntilMs - Date.now()).toBeGreaterThan(3_500_000);
    }
    expect(heard.get('pv-1')?.mode).toBe('limit');
    expect((await watch()).latch.held).toMatchObject({ stopId: STOP_ID, safeState: 'zero', engagedBy: 'ann' });
  });

  it('is held up by no other broker of a pair that takes a connection and says nothing more', async () => {
    const sockets: Socket[] = [];
    const mute = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined).once('data', () => socket.write(Buffer.from([0x20, 3, 0, 0, 0]))); // CONNACK
    }).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const standby = { host: '127.0.0.1', port: (mute.address() as AddressInfo).port };
    await command('ev', 'ev-1', 11);
    const fleet = stopFleet(
      { ...at(), standby },
      { stop: stop('zero'), zeroValidSeconds: 3_600, listenSeconds: 0 },
      testLog,
    );
    const { told, missed } = await fleet.first;
    expect([told, missed]).toEqual([expect.any(Number), [`127.0.0.1:${String(standby.port)}`]]);
    await fleet.done;
    mute.close();
    for (const socket of sockets) socket.destroy();
    await field.subscribeAsync('der/setpoints/#', { qos: 1 });
    await eventually(() => expect(heard.get('ev-1')?.targetPowerKw).toBe(0));
  });

  it('tells a device that speaks meanwhile, and answers a setpoint that comes from elsewhere', async () => {
    await field.subscribeAsync('der/setpoints/#', { qos: 1 });
    await command('ev', 'ev-1', 11);
    const fleet = begin('zero', 3);
    await fleet.first;
    await command('ev', 'ev-1', 7); // a worker that has not heard yet
    await field.publishAsync('der/telemetry/ev/ev-2', '{}', { qos: 1 });
    expect(await fleet.done).toEqual({ told: 2, untold: [], missed: [] });
    await eventually(() =>
      expect([...heard].map(([id, { targetPowerKw }]) => [id, targetPowerKw])).toEqual([
        ['ev-1', 0],
        ['ev-2', 0],
      ]),
    );
  });

  it.each([
    ['was lifted', () => openEmergencyBroker(at(), testLog).clearStop()],
    ['was replaced by another', () => stopFleet({ ...at(), clientId: 'other' }, other, testLog).first],
  ])('says no more when the stop %s', async (_how, end) => {
    const fleet = begin('zero', 20);
    await fleet.first;
    await end();
    expect(await fleet.done).toEqual({ told: 0, untold: [], missed: [] });
    await field.subscribeAsync('der/setpoints/#', { qos: 1 });
    await command('ev', 'ev-1', 7); // of a loop that controls again
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(heard.get('ev-1')?.targetPowerKw).toBe(7);
  });

  it('tells a default that the registry knows, and lets lapse in seconds the command of one that it does not', async () => {
    await command('battery', 'battery-1', -4);
    await command('pv', 'pv-1', -20);
    const fleet = begin('default', 1);
    fleet.tell([{ deviceType: 'battery', deviceId: 'battery-1', sign: null, safeKw: 2 }]);
    expect(await fleet.done).toEqual({ told: 2, untold: [], missed: [] });
    await field.subscribeAsync('der/setpoints/#', { qos: 1 });
    await eventually(() => expect(heard.size).toBe(2));
    expect(heard.get('battery-1')).toMatchObject({ targetPowerKw: 2, mode: 'charge' });
    expect(heard.get('pv-1')).toMatchObject({ targetPowerKw: 20, mode: 'limit' });
    expect(heard.get('pv-1')!.validUntilMs - Date.now()).toBeLessThanOrEqual(10_000);
  });

  it('says so when the broker is away, and nothing was stopped', async () => {
    await broker.process.stop();
    const fleet = begin('zero', 0);
    await expect(fleet.first).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' });
    await expect(fleet.done).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' });
  }, 15_000);
});

describe('the watch over the stop that the broker holds', () => {
  it('hears that there is none, one as it comes, and that it is gone', async () => {
    const { latch, changes } = await watch();
    expect(latch.held).toBeNull();
    await begin('zero', 0).done;
    await eventually(() => expect(latch.held).toMatchObject({ stopId: STOP_ID }));
    await openEmergencyBroker(at(), testLog).clearStop();
    await eventually(() => expect(latch.held).toBeNull());
    expect(changes).toEqual([null, STOP_ID, null]);
  });

  it('knows nothing while there is no connection, and hears again from the broker that comes', async () => {
    await begin('zero', 0).done;
    const { latch } = await watch();
    await broker.process.stop();
    await eventually(() => expect(latch.held).toBe('unknown'));
    await broker.restart();
    await eventually(() => expect(latch.held).toMatchObject({ stopId: STOP_ID }));
  });

  it('takes for no stop what is none', async () => {
    await field.publishAsync('der/emergency-stop', '{"stop":true}', { qos: 1, retain: true });
    expect((await watch()).latch.held).toBeNull();
  });
});
