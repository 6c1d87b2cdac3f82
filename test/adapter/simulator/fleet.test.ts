import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectAsync, type MqttClient } from 'mqtt';
import { isRefusal } from '../../../contracts/envelope';
import { parseMeasurement, type Measurement } from '../../../contracts/measurement';
import type { RegistryFile } from '../../../contracts/registry-file';
import { setpointDelivery, setpointMessage, type SetpointToSend } from '../../../contracts/setpoint';
import { simulationProfileDelivery, simulationProfileMessage } from '../../../contracts/simulation-profile';
import { parseTelemetry, type Telemetry } from '../../../contracts/telemetry';
import { topics } from '../../../contracts/topics';
import { startMosquitto } from '../../../local/mosquitto';
import type { MosquittoBroker } from '../../../servers/mosquitto';
import { createLogger } from '../../../observability/logger';
import { createFleet, type Fleet, type FleetOptions } from '../../../simulator/fleet';

const PREFIX = 'test/der';
const USER = { username: 'fleet', password: randomUUID() };
const topic = topics(PREFIX);

const REGISTRY: RegistryFile = {
  feeders: [
    { feederId: 'substation', importLimitKw: 100, exportLimitKw: 100, baseLoadKw: 1 },
    { feederId: 'oak-street', parentId: 'substation', importLimitKw: 50, exportLimitKw: 50, baseLoadKw: 4 },
  ],
  devices: [
    { deviceId: 'ev-1', deviceType: 'ev', feederId: 'oak-street', maxImportKw: 11, minImportKw: 1.4 },
    { deviceId: 'bat-1', deviceType: 'battery', feederId: 'oak-street', maxImportKw: 5, maxExportKw: 5 },
    { deviceId: 'pv-1', deviceType: 'pv', feederId: 'substation', maxExportKw: 10 },
  ],
  simulation: {
    timeOfDay: '12:00',
    cloudiness: 0,
    intervalSeconds: 0.3,
    devices: {
      'ev-1': { startSoc: 0.3, rampKwPerS: 100 },
      'bat-1': { startSoc: 0.5, rampKwPerS: 100 },
      'pv-1': { rampKwPerS: 100 },
    },
  },
};

describe('a simulated fleet at a real broker', () => {
  let folder: string;
  let broker: MosquittoBroker;
  let operator: MqttClient;
  let heard: (Telemetry | Measurement)[];
  const fleets: Fleet[] = [];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'derms-fleet-'));
  });

  beforeEach(async () => {
    broker = await startMosquitto({ dataDir: join(folder, randomUUID()), users: [USER] });
    operator = await connectAsync(`mqtt://${broker.host}:${String(broker.port)}`, {
      ...USER,
      protocolVersion: 5,
      reconnectPeriod: 100,
      clean: false,
      clientId: 'operator',
      properties: { sessionExpiryInterval: 3_600 },
    });
    heard = [];
    operator.on('message', (name, payload) => {
      heard.push(taken(name, payload));
    });
    await operator.subscribeAsync([topic.telemetryFilter, topic.metersFilter], { qos: 1 });
  });

  afterEach(async () => {
    await Promise.all(fleets.splice(0).map((fleet) => fleet.stop()));
    await operator.endAsync(true);
    await broker.stop();
  });

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('reports every device and every meter once in each interval', async () => {
    const fleet = await aFleet();
    await until(() => heard.length >= 15);

    expect(new Set(heard.slice(0, 5).map(nameOf))).toEqual(
      new Set(['ev-1', 'bat-1', 'pv-1', 'substation', 'oak-street']),
    );
    const times = heard.filter((message) => nameOf(message) === 'ev-1').map(({ timestampMs }) => timestampMs);
    expect(times.length).toBeGreaterThanOrEqual(3);
    expect(((times.at(-1) ?? NaN) - (times[0] ?? NaN)) / (times.length - 1)).toBeGreaterThan(150);
    expect(fleet.counts()).toMatchObject({ connections: 2, connectionsUp: 2, dropped: 0 });
  });

  it('meters what flows: homes, devices and everything below', async () => {
    const fleet = await aFleet();
    fleet.setHouseholdLoadKw('oak-street', 20);
    await tell({ deviceId: 'bat-1', deviceType: 'battery', targetKw: -3 });
    await until(() => lastMeter('oak-street') === 17);
    const pvKw = fleet.device('pv-1').powerKw;

    expect(pvKw).toBeLessThan(-8.9);
    expect(fleet.meterFlowKw('oak-street')).toBe(17);
    expect(fleet.meterFlowKw('substation')).toBeCloseTo(18 + pvKw, 9);
    expect(fleet.wantedFlowKw('oak-street')).toBe(31);
    expect(fleet.flowExtremes('oak-street')).toEqual({ lowKw: 4, highKw: 20 });
  });

  it('obeys its setpoints, a retained one too that was there before it', async () => {
    await tell({ deviceId: 'ev-1', deviceType: 'ev', targetKw: 6 });
    const fleet = await aFleet();
    await tell({ deviceId: 'pv-1', deviceType: 'pv', targetKw: -2 });
    await until(() => fleet.device('ev-1').powerKw === 6 && fleet.device('pv-1').powerKw === -2);

    expect(fleet.setpointsHeard('ev-1')).toMatchObject([{ targetPowerKw: 6, mode: 'import', outcome: 'taken' }]);
    expect(fleet.setpointsHeard('pv-1')).toMatchObject([{ targetPowerKw: 2, mode: 'limit', outcome: 'taken' }]);
    expect(fleet.setpointsHeard('bat-1')).toEqual([]);
    await until(() => lastPower('pv-1') === 2 && lastPower('ev-1') === 6);
  });

  it('falls to its default when a setpoint is over, unless it does not honour expiry', async () => {
    const fleet = await aFleet();
    fleet.setBehaviour('bat-1', { honoursExpiry: false });
    await tell({ deviceId: 'ev-1', deviceType: 'ev', targetKw: 6, validUntilMs: Date.now() + 1_000 });
    await tell({ deviceId: 'bat-1', deviceType: 'battery', targetKw: 2, validUntilMs: Date.now() + 1_000 });
    await until(() => fleet.device('ev-1').powerKw === 6 && fleet.device('bat-1').powerKw === 2);
    await until(() => fleet.device('ev-1').powerKw === 0);

    expect(fleet.device('ev-1').setpoint).toBeNull();
    expect(fleet.device('bat-1').powerKw).toBe(2);
  });

  it('ignores setpoints that are over, repeated, older or broken, and counts them', async () => {
    const fleet = await aFleet();
    const now = Date.now();
    const ev = { deviceId: 'ev-1', deviceType: 'ev', targetKw: 5, timestampMs: now } as const;
    await tell({ ...ev, messageId: 'one' });
    await tell({ ...ev, messageId: 'one' });
    await tell({ ...ev, messageId: 'two', timestampMs: now - 5, targetKw: 9 });
    await tell({ ...ev, messageId: 'three', timestampMs: now + 5, validUntilMs: now - 1, targetKw: 9 });
    await operator.publishAsync(topic.setpoint('ev', 'ev-1'), 'nonsense', { qos: 1 });
    await until(() => fleet.counts().setpoints.invalid === 1);

    expect(fleet.counts().setpoints).toEqual({ taken: 1, repeated: 1, older: 1, expired: 1, invalid: 1 });
    await until(() => fleet.device('ev-1').powerKw === 5);
  });

  it('can be told at any time to be silent, to disobey, to have a wrong clock or a fault', async () => {
    const fleet = await aFleet({ faults: { silent: 3 } });
    await until(() => heard.filter((message) => nameOf(message) === 'substation').length === 3);
    expect(heard.filter((message) => 'deviceId' in message)).toEqual([]);

    for (const deviceId of fleet.deviceIds) fleet.setBehaviour(deviceId, { silent: false });
    fleet.setBehaviour('ev-1', { disobedient: true });
    fleet.setBehaviour('bat-1', { clockOffsetSeconds: 20 });
    fleet.setBehaviour('pv-1', { faultCode: 'E-1', offline: true });
    await tell({ deviceId: 'ev-1', deviceType: 'ev', targetKw: 2 });
    await until(() => lastPower('ev-1') === 11 && lastOf('pv-1') !== undefined && lastOf('bat-1') !== undefined);

    expect(lastOf('pv-1')).toMatchObject({ powerKw: 0, online: false, faultCode: 'E-1' });
    expect((lastOf('bat-1')?.timestampMs ?? NaN) - Date.now()).toBeGreaterThan(15_000);
    expect(fleet.counts().setpoints.taken).toBe(1);
  });

  it('hears its retained setpoint when its line is mended', async () => {
    const fleet = await aFleet();
    fleet.setBehaviour('ev-1', { deaf: true });
    await tell({ deviceId: 'ev-1', deviceType: 'ev', targetKw: 7 });
    await tell({ deviceId: 'bat-1', deviceType: 'battery', targetKw: 1 });
    await until(() => fleet.device('bat-1').powerKw === 1);
    expect(fleet.device('ev-1').setpoint).toBeNull();

    fleet.setBehaviour('ev-1', { deaf: false });
    await until(() => fleet.device('ev-1').powerKw === 7);
  });

  it('moves its sun with the simulation profile', async () => {
    const fleet = await aFleet();
    await until(() => fleet.device('pv-1').powerKw < -8);
    const { qos, retain } = simulationProfileDelivery;
    await operator.publishAsync(topic.simulationProfile, JSON.stringify(simulationProfileMessage('night')), {
      qos,
      retain,
    });
    await until(() => fleet.device('pv-1').powerKw === 0);

    expect(fleet.secondsOfDay).toBeLessThan(10);
  });

  it('loses nothing when the broker dies: it keeps its readings, comes back, and hears what it missed', async () => {
    const fleet = await aFleet({ record: { telemetry: true } });
    await until(() => fleet.counts().telemetryAcknowledged >= 6);
    await tell({ deviceId: 'ev-1', deviceType: 'ev', targetKw: 4 });
    const { port } = broker;
    const dataDir = join(folder, 'reborn');
    await broker.kill();
    await until(() => fleet.counts().connectionsUp === 0);
    await until(() => fleet.counts().waiting >= 10);
    broker = await startMosquitto({ dataDir, port, users: [USER] });
    await until(() => operator.connected);
    await operator.subscribeAsync([topic.telemetryFilter, topic.metersFilter], { qos: 1 });
    await tell({ deviceId: 'ev-1', deviceType: 'ev', targetKw: 9 });
    await until(() => fleet.counts().connectionsUp === 2 && fleet.counts().waiting === 0);
    await until(() => fleet.device('ev-1').powerKw === 9);
    await fleet.stop();

    const { telemetryProduced, telemetryAcknowledged, dropped, inFlight } = fleet.counts();
    expect({ telemetryAcknowledged, dropped, inFlight }).toEqual({
      telemetryAcknowledged: telemetryProduced,
      dropped: 0,
      inFlight: 0,
    });
    expect(fleet.acknowledgedTelemetry()).toHaveLength(telemetryProduced);
  });

  it('turns to the secondary broker when the first does not answer', async () => {
    const second = await startMosquitto({ dataDir: join(folder, 'second'), users: [USER] });
    const fleet = await aFleet({ brokers: [broker, second] });
    await broker.kill();
    await until(() => fleet.counts().connectionsUp === 0);
    await until(() => fleet.counts().connectionsUp === 2);
    await fleet.stop();
    await second.stop();
  });

  it('tells the present first when its broker is back, then what it kept, oldest first', async () => {
    const fleet = await aFleet({ record: { telemetry: true } });
    await until(() => fleet.counts().telemetryAcknowledged >= 6);
    const { port } = broker;
    const dataDir = join(folder, 'reborn-later');
    await broker.kill();
    const killedAtMs = Date.now();
    await until(() => fleet.counts().waiting >= 40);
    broker = await startMosquitto({ dataDir, port, users: [USER] });
    await until(() => fleet.counts().connectionsUp === 2 && fleet.counts().waiting === 0);
    await fleet.stop();

    for (const deviceId of fleet.deviceIds) {
      // What was under way when the broker died is sent again by the client itself, before all else.
      const [first = 0, ...others] = fleet
        .acknowledgedTelemetry()
        .filter((reading) => reading.deviceId === deviceId)
        .map(({ timestampMs }) => timestampMs)
        .filter((timestampMs) => timestampMs > killedAtMs + 500);
      const kept = others.filter((timestampMs) => timestampMs < first);
      expect(kept.length).toBeGreaterThan(2);
      expect(others.slice(0, kept.length)).toEqual([...kept].sort((one, other) => one - other));
    }
  });

  it('tries the secondary broker when its setpoint has run out and nothing comes, and does its default meanwhile', async () => {
    const second = await startMosquitto({ dataDir: join(folder, 'spoken-at'), users: [USER] });
    const fleet = await aFleet({
      brokers: [broker, second],
      timing: { nothingComesMs: 2_000, turnAtMostEachMs: 60_000 },
    });
    await tell({ deviceId: 'ev-1', deviceType: 'ev', targetKw: 6, validUntilMs: Date.now() + 2_000 });
    await until(() => fleet.device('ev-1').powerKw === 6);
    expect(fleet.counts().connectionsAt).toEqual([2, 0]);
    await until(() => fleet.device('ev-1').powerKw === 0);
    await until(() => (fleet.counts().connectionsAt[1] ?? 0) > 0); // the meters' have no setpoints to miss
    expect(fleet.device('ev-1').powerKw).toBe(0);
    await fleet.stop();
    await second.stop();
  }, 60_000);

  it('stops within two seconds, even when the broker hangs', async () => {
    const fleet = await aFleet();
    broker.suspend();
    const startedAt = performance.now();
    await fleet.stop();

    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(fleet.counts().connectionsUp).toBe(0);
    broker.resume();
  });

  it('can be stopped while there is no broker at all', async () => {
    await broker.kill();
    const fleet = createFleet(options());
    const started = fleet.start();
    await sleep(300);
    await fleet.stop();

    await expect(started).resolves.toBe('stopped');
    expect(fleet.counts().telemetryProduced).toBeGreaterThan(0);
  });

  const options = (): FleetOptions => ({
    registry: REGISTRY,
    brokers: [broker],
    ...USER,
    topicPrefix: PREFIX,
    clientId: 'fleet',
    record: { setpoints: true },
    log: createLogger({ service: 'derms', role: 'simulator', level: 'silent', pretty: false }),
  });

  async function aFleet(given: Partial<FleetOptions> = {}): Promise<Fleet> {
    const fleet = createFleet({ ...options(), ...given });
    fleets.push(fleet);
    await fleet.start();
    return fleet;
  }

  async function tell(
    given: Pick<SetpointToSend, 'deviceId' | 'deviceType' | 'targetKw'> & Partial<SetpointToSend>,
  ): Promise<void> {
    const message = setpointMessage({
      messageId: randomUUID(),
      planId: randomUUID(),
      sign: null,
      timestampMs: Date.now(),
      validUntilMs: Date.now() + 60_000,
      rampKwPerS: null,
      allocator: 'test',
      notes: '',
      ...given,
    });
    const { qos, retain } = setpointDelivery;
    await operator.publishAsync(topic.setpoint(given.deviceType, given.deviceId), JSON.stringify(message), {
      qos,
      retain,
    });
  }

  const lastOf = (name: string) => heard.findLast((message) => nameOf(message) === name);
  const lastPower = (deviceId: string): number | undefined => {
    const message = lastOf(deviceId);
    return message !== undefined && 'powerKw' in message ? message.powerKw : undefined;
  };
  const lastMeter = (feederId: string): number | undefined => {
    const message = lastOf(feederId);
    return message !== undefined && 'flowKw' in message ? message.flowKw : undefined;
  };
});

const nameOf = (message: Telemetry | Measurement): string =>
  'deviceId' in message ? message.deviceId : message.feederId;

/** By the same rules as the ingest: a simulated fleet sends nothing that would be refused. */
function taken(name: string, payload: Buffer): Telemetry | Measurement {
  const window = { nowMs: Date.now(), maxPayloadBytes: 16_384, maxAgeMs: 86_400_000 };
  const tail = name.slice(PREFIX.length + 1);
  const message = tail.startsWith('meters/')
    ? parseMeasurement(tail.slice('meters/'.length), payload, window)
    : parseTelemetry(tail.slice('telemetry/'.length), payload, window);
  if (isRefusal(message)) throw new Error(`${message.refused}: ${message.detail}`);
  return message;
}

/** Waits no longer than it takes; after ten seconds it takes too long. */
async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`it never happened that ${holds.toString()}`);
    await sleep(20);
  }
}
