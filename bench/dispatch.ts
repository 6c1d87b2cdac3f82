import { randomUUID } from 'node:crypto';
import { connectAsync } from 'mqtt';
import { isRefusal } from '../contracts/envelope';
import { parseSetpoint } from '../contracts/setpoint';
import { addChargers, refreshStates } from './fleet-rows';
import { percentile } from './percentile';
import { until, withSystem, type BenchSystem } from './system';
import type { Benchmark } from './table';

const ROUNDS = 60;
const CHARGERS = 50;
const TARGET_SECONDS = 1;

/** From an operator's request, and from its 202, to the changed setpoint at the broker; beside it one message's way through the broker. */
export const benchmarkDispatch: Benchmark = async (say) => {
  const { fromRequest, fromAccepted, brokerOnly } = await withSystem({}, (bench) => measure(bench, say));
  const reference = percentile(brokerOnly, 0.5);
  const median = percentile(fromAccepted, 0.5);
  const row = { benchmark: 'dispatch', reference, target: null, met: null };
  return [
    {
      ...row,
      measure: '202 to setpoint, median, s',
      ours: median,
      target: `≤ ${String(TARGET_SECONDS)} s`,
      met: median <= TARGET_SECONDS,
    },
    { ...row, measure: '202 to setpoint, p99, s', ours: percentile(fromAccepted, 0.99) },
    { ...row, measure: 'request to setpoint, median, s', ours: percentile(fromRequest, 0.5) },
    { ...row, measure: 'request to setpoint, p99, s', ours: percentile(fromRequest, 0.99) },
  ];
};

async function measure({ system, db }: BenchSystem, say: (line: string) => void) {
  const root = 'bench';
  await addChargers(db, root, CHARGERS);
  await Promise.all([system.start('api'), system.start('worker')]);
  const token = await system.signIn('operator');
  const { mosquitto, brokerUser } = system.stack;
  const client = await connectAsync({ host: mosquitto.host, port: mosquitto.port, ...brokerUser, protocolVersion: 5 });
  const heardAt = new Map<number, number>();
  client.on('message', (_topic, payload) => {
    const setpoint = parseSetpoint(payload);
    if (!isRefusal(setpoint) && !heardAt.has(setpoint.targetPowerKw))
      heardAt.set(setpoint.targetPowerKw, performance.now());
  });
  await client.subscribeAsync('der/setpoints/#', { qos: 1 });
  await until(() => (heardAt.size > 0 ? true : null), 30_000, 'the first setpoint');

  const fromRequest: number[] = [];
  const fromAccepted: number[] = [];
  const brokerOnly: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await refreshStates(db);
    // A limit of its own each round, so that the changed setpoint is known when it is seen.
    const perChargerKw = 3 + round / 20;
    const request = {
      feederId: root,
      endsAt: new Date(Date.now() + 600_000).toISOString(),
      importLimitKw: perChargerKw * CHARGERS,
      reason: 'benchmark',
    };
    heardAt.clear();
    const requestedAt = performance.now();
    const accepted = await call(system.apiUrl, token, '/api/dispatches', request);
    const acceptedAt = performance.now();
    const wanted = (kw: number): boolean => Math.abs(kw - perChargerKw) < 0.005;
    const at = await until(
      () => [...heardAt].find(([kw]) => wanted(kw))?.[1] ?? null,
      20_000,
      `the setpoint of round ${String(round)}`,
    );
    fromRequest.push((at - requestedAt) / 1000);
    fromAccepted.push(Math.max(0, at - acceptedAt) / 1000);
    await call(system.apiUrl, token, `/api/dispatches/${String(accepted['dispatchId'])}/cancel`, {
      reason: 'the round is over',
    });
    brokerOnly.push(await oneMessage(client));
    if (round % 20 === 19) say(`${String(round + 1)} of ${String(ROUNDS)} rounds`);
  }
  await client.endAsync();
  return { fromRequest, fromAccepted, brokerOnly };
}

async function call(apiUrl: string, token: string, path: string, body: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(`${apiUrl}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': randomUUID() },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new Error(`${path}: ${String(response.status)} ${JSON.stringify(answer)}`);
  return answer;
}

/** One QoS 1 message to the broker and back to us, s. */
async function oneMessage(client: Awaited<ReturnType<typeof connectAsync>>): Promise<number> {
  const startedAt = performance.now();
  await client.publishAsync('der/bench/echo', '{}', { qos: 1 });
  return (performance.now() - startedAt) / 1000;
}
