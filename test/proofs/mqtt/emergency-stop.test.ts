import { connectAsync, type MqttClient } from 'mqtt';
import { parseSetpoint } from '../../../contracts/setpoint';
import { isRefusal } from '../../../contracts/envelope';
import type { Database } from '../../../db/pool';
import { startMqttLaboratory, type MqttLaboratory } from '../../../local/failover/mqtt-laboratory';
import { apiAs, databaseOf, DEMO, sleep } from '../../e2e/support';
import { moving, standsStill, underControl } from '../../e2e/moving-devices';
import { eventually } from '../../support/servers';

// The whole system at two brokers, one of which is lost when the fleet has to be stopped.

const PATH = '/api/emergency-stop';
/** Two intervals of the demo's loops, and a moment. */
const TWO_CYCLES_MS = 12_000;

let laboratory: MqttLaboratory;
let db: Database;
let admin: Awaited<ReturnType<typeof apiAs>>;

beforeAll(async () => {
  laboratory = await startMqttLaboratory();
  const { system } = laboratory;
  await Promise.all([system.start('api'), system.start('worker')]);
  await system.derms('registry', 'apply', DEMO);
  await system.start('simulator', ['--registry', DEMO, '--seed', '1']);
  db = databaseOf(system);
  admin = await apiAs(system, 'admin');
}, 600_000);
afterAll(async () => {
  await db.close();
  await laboratory.stop();
}, 60_000);

/** What a device that connects to this broker now would hear: the power of each retained setpoint, and the stop that is held. */
async function heldAt({ host, port }: { readonly host: string; readonly port: number }) {
  const client: MqttClient = await connectAsync({
    ...{ host, port, ...laboratory.system.stack.brokerUser, protocolVersion: 5, connectTimeout: 5_000 },
  });
  const kw = new Map<string, number>();
  let isStopHeld = false;
  client.on('message', (topic, payload) => {
    if (topic === 'der/emergency-stop') isStopHeld = payload.length > 0;
    const setpoint = parseSetpoint(payload);
    if (!isRefusal(setpoint)) kw.set(topic, setpoint.targetPowerKw);
  });
  await client.subscribeAsync(['der/setpoints/#', 'der/emergency-stop'], { qos: 1 });
  await client.subscribeAsync('nothing', { qos: 1 }); // answered behind what is retained
  await client.endAsync();
  return { devices: kw.size, notAtZero: [...kw].filter(([, power]) => power !== 0).length, isStopHeld };
}

/** So that it comes back with what it retains now. */
async function saveStore(): Promise<void> {
  process.kill(laboratory.brokers.primary.pid, 'SIGUSR1');
  await sleep(1_000);
}

const acts = () => ({ signal: new AbortController().signal, step: () => undefined, figure: () => undefined });

it.each([
  ['hangs', 'hung'],
  ['is dead', 'crash'],
] as const)(
  'an emergency stop while the active broker %s stops every device, and outlives the return of that broker',
  async (_how, scenario) => {
    const { brokers, acts: brokerActs } = laboratory;
    await underControl(db, 90_000);
    expect((await heldAt(brokers.primary)).notAtZero).toBeGreaterThan(5);
    if (scenario === 'crash') await saveStore();
    await brokerActs.lose(scenario, 'primary', acts());

    const { status, body } = await admin('POST', PATH, { safeState: 'zero', reason: 'people on the line' });
    expect([status, body]).toMatchObject([200, { databaseFailure: null, brokerFailure: null, devicesTold: 120 }]);
    await standsStill(db, 30_000);
    expect(await heldAt(brokers.standby)).toEqual({ devices: 120, notAtZero: 0, isStopHeld: true });

    await brokerActs.comeBack(); // with the setpoints of before
    await eventually(
      async () => expect(await heldAt(brokers.primary)).toMatchObject({ devices: 120, notAtZero: 0 }),
      30_000,
      250,
    );
    const until = performance.now() + TWO_CYCLES_MS;
    while (performance.now() < until) {
      expect(await moving(db)).toEqual({ battery: 0, ev: 0, pv: 0 });
      await sleep(500);
    }
    expect((await heldAt(brokers.standby)).notAtZero).toBe(0);

    expect((await admin('DELETE', `${PATH}?reason=they+are+gone`)).status).toBe(200);
    await underControl(db, 90_000);
    for (const broker of [brokers.primary, brokers.standby])
      expect(await heldAt(broker)).toMatchObject({ isStopHeld: false });
  },
  240_000,
);
