import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from '../../../db/pool';
import { SECOND_WORKER } from '../../../local/failover/worker-crash-here';
import { startTestSystem, type TestSystem } from '../../../local/test-system';
import { generateRegistry } from '../../../simulator/generated-registry';
import { databaseOf, listenToSetpoints, type SeenSetpoint } from '../../e2e/support';
import { eventually } from '../../support/servers';

/** Of every loop: the shortest for which our promises about gaps hold, s. */
export const INTERVAL_SECONDS = 10;
export const FEEDERS = 20;
const DEVICES_PER_FEEDER = 5;
const SETTLED_WITHIN_MS = 60_000;

/** Many trees under control of two workers, with a Temporal that keeps its data, and somebody who hears every setpoint. */
export interface ManyLoops {
  readonly system: TestSystem;
  readonly db: Database;
  /** What a subscriber of its own has heard so far, in order. */
  readonly seen: readonly SeenSetpoint[];
  /** Postgres' clock, ms. */
  nowMs(): Promise<number>;
}

/** Returns when each loop has planned three times and every device follows. */
export async function startManyLoops(): Promise<ManyLoops> {
  const system = await startTestSystem({
    temporalData: 'file',
    env: { CONTROL_INTERVAL_SECONDS: String(INTERVAL_SECONDS) },
  });
  const registry = join(system.stack.folder, 'registry.json');
  writeFileSync(
    registry,
    JSON.stringify(generateRegistry({ feeders: FEEDERS, devices: FEEDERS * DEVICES_PER_FEEDER })),
  );
  const db = databaseOf(system);
  try {
    await Promise.all([system.start('api'), system.start('worker'), system.startReplica(SECOND_WORKER)]);
    await system.derms('registry', 'apply', registry);
    await system.start('simulator', ['--registry', registry, '--seed', '1']);
    const { seen } = await listenToSetpoints(system);
    const nowMs = async (): Promise<number> => {
      const { rows } = await db.query<{ ms: number }>('select (extract(epoch from now()) * 1000)::float8 as ms');
      return rows[0]!.ms;
    };
    await eventually(() => everyLoopHasPlanned(db, 3), SETTLED_WITHIN_MS, 250);
    return { system, db, seen, nowMs };
  } catch (error) {
    await db.close();
    await system.stop();
    throw error;
  }
}

export async function everyLoopHasPlanned(db: Database, times: number, sinceMs = 0): Promise<void> {
  const { rows } = await db.query<{ root_feeder_id: string; cycles: string }>(
    `select root_feeder_id, count(*) as cycles from control_cycles where planned_at > to_timestamp($1 / 1000.0)
      group by 1 having count(*) >= $2`,
    [sinceMs, times],
  );
  if (rows.length < FEEDERS) throw new Error(`${String(rows.length)} of ${String(FEEDERS)} loops have planned`);
}

/** Compares what was heard at the broker since `fromMs` with what Postgres says was decided; what does not agree. */
export async function setpointFaults({ db, seen }: ManyLoops, fromMs: number): Promise<Record<string, string[]>> {
  const heard = seen.filter(({ receivedAtMs, retained }) => !retained && receivedAtMs > fromMs);
  const times = new Map<string, number>();
  const targets = new Map<string, Set<number>>();
  for (const { messageId, correlationId, deviceId, targetPowerKw } of heard) {
    times.set(messageId, (times.get(messageId) ?? 0) + 1);
    const key = `${String(correlationId)} ${deviceId}`;
    targets.set(key, (targets.get(key) ?? new Set()).add(targetPowerKw));
  }
  const { rows: changes } = await db.query<{ key: string; device_id: string; plan_id: string }>(
    `select plan_id || ' ' || device_id as key from setpoints join devices using (device_key)
      where planned_at > to_timestamp($1 / 1000.0) and planned_at < now() - make_interval(secs => $2)`,
    [fromMs, INTERVAL_SECONDS],
  );
  const { rows: plans } = await db.query<{ plan_id: string }>('select plan_id from control_cycles');
  const known = new Set(plans.map(({ plan_id }) => plan_id));
  const { rows: standing } = await db.query<{ device_id: string; plan_id: string }>(
    `select device_id, acknowledged_plan_id as plan_id from devices join device_control using (device_key)
      where acknowledged_valid_until > now() and pending_plan_id is null`,
  );
  const last = new Map(seen.map(({ deviceId, correlationId }) => [deviceId, correlationId]));
  return {
    twice: [...times].filter(([, count]) => count > 1).map(([messageId]) => messageId),
    'two targets of one plan': [...targets].filter(([, kw]) => kw.size > 1).map(([key]) => key),
    'of no plan': heard.filter(({ correlationId }) => !known.has(correlationId ?? '')).map(({ deviceId }) => deviceId),
    'decided and not sent': changes.filter(({ key }) => !targets.has(key)).map(({ key }) => key),
    'sent and not the newest': standing
      .filter(({ device_id, plan_id }) => last.get(device_id) !== plan_id)
      .map(({ device_id }) => device_id),
  };
}

export const NO_SETPOINT_FAULTS = {
  ...{ twice: [], 'two targets of one plan': [], 'of no plan': [] },
  ...{ 'decided and not sent': [], 'sent and not the newest': [] },
};

/** For the record: figures of a proof stand in its output. */
export const told = (what: string, figures: object): void => {
  process.stdout.write(`${what}: ${JSON.stringify(figures)}\n`);
};
