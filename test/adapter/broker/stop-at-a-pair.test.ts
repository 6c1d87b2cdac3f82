import { randomUUID } from 'node:crypto';
import { openPairPublisher } from '../../../broker/pair-publisher';
import type { OutgoingMessage } from '../../../broker/publish-run';
import { stopFleet } from '../../../broker/fleet-stop';
import { setpointMessage } from '../../../contracts/setpoint';
import { topics } from '../../../contracts/topics';
import { createFleet, type Fleet } from '../../../simulator/fleet';
import { generateRegistry } from '../../../simulator/generated-registry';
import { eventually, testLog } from '../../support/servers';
import type { OwnBroker } from './own-broker';
import { startOwnPair, type OwnPair } from './own-pair';

// At the devices: a fleet that is at one of two brokers when that one is lost and people want it stopped.

const DEVICES = 20;
const PATIENTLY_MS = 60_000;

let pair: OwnPair;
let fleet: Fleet;
beforeEach(async () => {
  pair = await startOwnPair();
}, 60_000);
afterEach(async () => {
  await fleet.stop();
  await pair.remove();
}, 60_000);

const prefix = 'der';
const at = () => ({ ...pair.options, prefix, clientId: `derms-stop-${randomUUID()}` });

/** A setpoint of a plan for each device: nobody does nothing. */
const plan = (validForMs: number): OutgoingMessage[] =>
  fleet.deviceIds.map((deviceId) => {
    const { deviceType } = fleet.device(deviceId);
    const nowMs = Date.now();
    const message = setpointMessage({
      ...{ messageId: randomUUID(), planId: randomUUID(), deviceId, deviceType, sign: null },
      ...{ targetKw: deviceType === 'pv' ? -3 : 3, timestampMs: nowMs, validUntilMs: nowMs + validForMs },
      ...{ rampKwPerS: null, allocator: 'plan', notes: '' },
    });
    return {
      key: deviceId,
      topic: topics(prefix).setpoint(deviceType, deviceId),
      payload: JSON.stringify(message),
      expirySeconds: Math.ceil(validForMs / 1_000),
    };
  });

const stopId = '11111111-1111-4111-8111-111111111111';
/** How many devices obey the stop, and nothing else. */
const stopped = (): number =>
  fleet.deviceIds.filter((deviceId) => fleet.device(deviceId).setpoint?.correlationId === stopId).length;
const moving = (): string[] => fleet.deviceIds.filter((deviceId) => Math.abs(fleet.device(deviceId).powerKw) > 0.2);

describe.each([
  ['is dead', (broker: OwnBroker): unknown => broker.process.kill()],
  ['hangs', (broker: OwnBroker): unknown => broker.process.suspend()],
])('an emergency stop while the broker that the fleet is at %s', (_what, lose) => {
  it('stops every device by way of the other, and is not undone when the old one is back with its old setpoints', async () => {
    const { host, port, standby } = pair.options;
    fleet = createFleet({
      registry: generateRegistry({ devices: DEVICES, feeders: 1 }),
      simulation: { timeOfDay: '12:00' },
      brokers: [{ host, port }, standby],
      ...{ topicPrefix: prefix, clientId: 'fleet', log: testLog },
    });
    await fleet.start();
    const publisher = openPairPublisher(at(), { log: testLog });
    await eventually(
      () => expect(publisher.brokers.every((each) => each.publisher.connected)).toBe(true),
      PATIENTLY_MS,
    );
    await publisher.publish(plan(600_000), { signal: AbortSignal.timeout(10_000), mayStillPublish: () => true });
    await publisher.close();
    await eventually(() => expect(moving().length).toBeGreaterThan(DEVICES / 4), PATIENTLY_MS);
    process.kill(pair.primary.process.pid, 'SIGUSR1'); // saves what it retains
    await new Promise((resolve) => setTimeout(resolve, 2_000));

    void lose(pair.primary);
    const stop = {
      stopId,
      safeState: 'zero',
      reason: 'people on the line',
      engagedBy: 'ann',
      engagedAtMs: Date.now(),
    } as const;
    const run = stopFleet(at(), { stop, zeroValidSeconds: 3_600, listenSeconds: 5 }, testLog);
    expect(await run.first).toMatchObject({ missed: [`${host}:${String(port)}`] });
    await run.done;
    await eventually(() => expect([stopped(), moving()]).toEqual([DEVICES, []]), PATIENTLY_MS);

    await pair.heal();
    await pair.standby.process.kill(); // so that everybody goes back to the old one
    await eventually(() => expect(fleet.counts().connectionsAt).toEqual([2, 0]), PATIENTLY_MS);
    await new Promise((resolve) => setTimeout(resolve, 2_000)); // it has told them its old setpoints by now
    expect([stopped(), moving()]).toEqual([DEVICES, []]);
    expect(fleet.counts().setpoints.older).toBeGreaterThan(0);
  }, 300_000);
});
