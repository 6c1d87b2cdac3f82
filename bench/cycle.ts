import { randomUUID } from 'node:crypto';
import { connectAsync } from 'mqtt';
import { setpointMessage } from '../contracts/setpoint';
import { addChargers, refreshStates, setImportLimit } from './fleet-rows';
import { percentile } from './percentile';
import { until, withSystem, type BenchSystem } from './system';
import type { Benchmark, BenchmarkRow } from './table';

const CYCLES = 20;
const WARM_UP = 3;
const WINDOW = 2_000;
const SIZES = [
  { devices: 1_000, targetSeconds: 0.5 },
  { devices: 10_000, targetSeconds: 2 },
] as const;
const MAX_GROWTH = 13;

/**
 * A whole control cycle in which every setpoint changes: from the start of planCycle through Temporal to the recording
 * of the last PUBACK. Beside it the bare publish of the same payloads by one client.
 */
export const benchmarkCycle: Benchmark = async (say) => {
  const rows: BenchmarkRow[] = [];
  const p95: number[] = [];
  for (const { devices, targetSeconds } of SIZES) {
    say(`${String(devices)} devices under one root, ${String(CYCLES)} cycles`);
    const { cycleSeconds, bareSeconds } = await withSystem({ env: { WORKER_ROLES: 'control' } }, (bench) =>
      measure(bench, devices),
    );
    const ours = percentile(cycleSeconds, 0.95);
    p95.push(ours);
    rows.push({
      benchmark: 'cycle',
      measure: `${String(devices)} setpoints, p95, s`,
      ours,
      reference: percentile(bareSeconds, 0.5),
      target: `≤ ${String(targetSeconds)} s`,
      met: ours <= targetSeconds,
    });
    rows.push({
      benchmark: 'cycle',
      measure: `${String(devices)} setpoints, median, s`,
      ours: percentile(cycleSeconds, 0.5),
      reference: percentile(bareSeconds, 0.5),
      target: null,
      met: null,
    });
  }
  const growth = (p95[1] ?? NaN) / (p95[0] ?? NaN);
  rows.push({
    benchmark: 'cycle',
    measure: 'growth for 10 × the devices',
    ours: growth,
    reference: null,
    target: `≤ ${String(MAX_GROWTH)} ×`,
    met: growth <= MAX_GROWTH,
  });
  return rows;
};

async function measure(
  { system, db, workflows }: BenchSystem,
  devices: number,
): Promise<{ cycleSeconds: number[]; bareSeconds: number[] }> {
  const root = 'bench';
  await addChargers(db, root, devices);
  await system.start('worker');
  await workflows.startControlLoop(root);
  await until(
    async () =>
      (await db.query('select 1 from control_loops where finished_cycle = cycle')).rows.length > 0 ? true : null,
    60_000,
    'the first cycle',
  );
  const cycleSeconds: number[] = [];
  const bareSeconds: number[] = [];
  for (let cycle = 0; cycle < WARM_UP + CYCLES; cycle += 1) {
    await refreshStates(db);
    const before = await db.query<{ cycle: string }>('select cycle from control_loops where root_feeder_id = $1', [
      root,
    ]);
    await setImportLimit(db, root, devices * (cycle % 2 === 0 ? 8 : 6));
    await workflows.wakeControlLoop(root);
    const seconds = await until(
      async () => {
        const { rows } = await db.query<{ seconds: number; changes: number }>(
          `select extract(epoch from l.finished_at - l.planned_at)::float8 as seconds, c.changes
             from control_loops l join control_cycles c using (root_feeder_id, chain_id, cycle, planned_at)
            where l.root_feeder_id = $1 and l.cycle > $2 and l.finished_cycle = l.cycle`,
          [root, before.rows[0]?.cycle ?? 0],
        );
        const [row] = rows;
        if (row === undefined) return null;
        if (cycle > 0 && row.changes !== devices)
          throw new Error(`${String(row.changes)} of ${String(devices)} setpoints changed`);
        return row.seconds;
      },
      60_000,
      `cycle ${String(cycle)} of ${String(devices)} devices`,
    );
    if (cycle >= WARM_UP) cycleSeconds.push(seconds);
    if (cycle >= WARM_UP && cycle % 4 === 0) bareSeconds.push(await barePublish(system.stack, devices));
  }
  return { cycleSeconds, bareSeconds };
}

/** The same retained QoS 1 messages from one client, at most `WINDOW` in flight, to the last PUBACK; s. */
async function barePublish(
  { mosquitto, brokerUser }: BenchSystem['system']['stack'],
  devices: number,
): Promise<number> {
  const client = await connectAsync({ host: mosquitto.host, port: mosquitto.port, ...brokerUser, protocolVersion: 5 });
  const planId = randomUUID();
  const messages = Array.from({ length: devices }, (_, index) => {
    const deviceId = `bare-${String(index).padStart(6, '0')}`;
    const message = setpointMessage({
      messageId: randomUUID(),
      planId,
      deviceId,
      deviceType: 'ev',
      sign: null,
      targetKw: 7,
      validUntilMs: Date.now() + 60_000,
      timestampMs: Date.now(),
      rampKwPerS: null,
      allocator: 'bench',
      notes: 'bound by bench',
    });
    return { topic: `der/setpoints/ev/${deviceId}`, payload: JSON.stringify(message) };
  });
  const startedAt = performance.now();
  await new Promise<void>((resolve, reject) => {
    let next = 0;
    let acknowledged = 0;
    const send = (): void => {
      const message = messages[next];
      if (message === undefined) return;
      next += 1;
      client.publish(
        message.topic,
        message.payload,
        { qos: 1, retain: true, properties: { messageExpiryInterval: 60 } },
        (error) => {
          if (error) {
            reject(error);
            return;
          }
          acknowledged += 1;
          if (acknowledged === messages.length) resolve();
          else send();
        },
      );
    };
    for (let index = 0; index < WINDOW; index += 1) send();
  });
  const seconds = (performance.now() - startedAt) / 1000;
  await client.endAsync();
  return seconds;
}
