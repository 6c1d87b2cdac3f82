import { Client, Connection } from '@temporalio/client';
import { controlGaps, type LoopGaps } from '../../../db/control-gaps';
import { runWorkerCrashHere, SECOND_WORKER } from '../../../local/failover/worker-crash-here';
import { closeListeners, apiAs, metric, sleep, type SeenSetpoint } from '../../e2e/support';
import { partsOf, type Part } from '../../support/parts';
import { eventually } from '../../support/servers';
import {
  everyLoopHasPlanned,
  FEEDERS,
  INTERVAL_SECONDS,
  NO_SETPOINT_FAULTS,
  setpointFaults,
  startManyLoops,
  told,
  type ManyLoops,
} from './many-loops';

const INTERVAL_MS = INTERVAL_SECONDS * 1_000;
/** Longer than a setpoint lives, so that every device is seen at its default. */
const AWAY_MS = { killed: 75_000, hung: 62_000 };
/** A timer of Temporal's fires a little late, and a plan takes its time; a loaded machine adds to both, s. */
const LATENESS_SECONDS = 5;
/** A charger ramps down, and reports each five seconds, ms. */
const SETTLED_MS = 8_000;

let loops: ManyLoops;
let temporal: Part;

beforeAll(async () => {
  loops = await startManyLoops();
  temporal = partsOf(loops.system).temporal;
}, 300_000);
afterAll(async () => {
  await temporal.bringBack();
  await closeListeners();
  await loops.db.close();
  await loops.system.stop();
  await temporal.stop();
}, 60_000);

const sumOf = (loops: readonly LoopGaps[]) => ({
  loops: loops.length,
  longestGapSeconds: Math.max(...loops.map(({ longestGapSeconds }) => longestGapSeconds)),
  served: loops.reduce((sum, { servedTicks }) => sum + servedTicks, 0),
  missed: loops.reduce((sum, { missedTicks }) => sum + missedTicks, 0),
  uncounted: loops.reduce((sum, { uncountedTicks }) => sum + uncountedTicks, 0),
});

describe('two workers', () => {
  it('when one of them is killed the other goes on with every loop within two intervals: the drill passes', async () => {
    const { db, system, nowMs } = loops;
    const begunAt = await nowMs();
    const runId = crypto.randomUUID();
    const report = await runWorkerCrashHere(system, {
      ...{ runId, signal: new AbortController().signal },
      onStep: () => undefined,
    });
    told('a worker killed', { canary: report.canary.writes, figures: report.figures, faults: report.faults });
    expect(report).toMatchObject({ verdict: 'passed', faults: [], budget: { gapMs: 20_000 }, figures: { loops: 20 } });
    expect(report.figures['longestGapSeconds']).toBeLessThanOrEqual(2 * INTERVAL_SECONDS);
    expect(report.canary.writes.gapMs).toBeGreaterThan(0.8 * INTERVAL_MS); // it has watched a loop, not nothing
    expect(report.gauge.downAt).toBeNull();
    const { rows } = await db.query<{ verdict: string; drill: string }>(
      'select drill, verdict from drill_reports where run_id = $1',
      [runId],
    );
    expect(rows).toEqual([{ drill: 'worker-crash', verdict: 'passed' }]);
    const { 'decided and not sent': unsent, ...faults } = await setpointFaults(loops, begunAt);
    expect({ ...faults, 'decided and not sent': [] }).toEqual(NO_SETPOINT_FAULTS);
    // What the killed one was about to send is replaced by the next plan, which was sent.
    told('decided by the killed worker and not sent', { unsent });
  }, 200_000);

  it('restarted one after the other no tick is missed, and no setpoint is lost or sent twice', async () => {
    const { db, system, nowMs } = loops;
    const begunAt = await nowMs();
    const stops: number[] = [];
    for (const { worker, start } of [
      { worker: system.running('worker'), start: () => system.start('worker') },
      { worker: system.replica(SECOND_WORKER), start: () => system.startReplica(SECOND_WORKER) },
    ]) {
      const startedAt = performance.now();
      const { code } = await worker.stop({ graceMs: 15_000 });
      expect(code).toBe(0);
      stops.push(Math.round(performance.now() - startedAt));
      await start();
    }
    const overAt = await nowMs();
    await eventually(() => everyLoopHasPlanned(db, 2, overAt), 4 * INTERVAL_MS, 250);
    const kept = sumOf(await controlGaps(db, begunAt));
    told('rolling restart', { ...kept, stopMs: stops });
    expect(kept).toMatchObject({ loops: FEEDERS, missed: 0, uncounted: 0 });
    expect(kept.longestGapSeconds).toBeLessThanOrEqual(INTERVAL_SECONDS + LATENESS_SECONDS);
    expect(await setpointFaults(loops, begunAt)).toEqual(NO_SETPOINT_FAULTS);
  }, 150_000);
});

/** Runs that did not end well, of everything but the supervisor, whose runs live for a minute at most. */
async function runsThatFailed(): Promise<string[]> {
  const connection = await Connection.connect({ address: loops.system.stack.temporal.address });
  try {
    const client = new Client({ connection, namespace: 'derms' });
    const ids: string[] = [];
    const query = `ExecutionStatus in ('Failed', 'TimedOut', 'Terminated', 'Canceled') and WorkflowType != 'superviseControlLoops'`;
    for await (const { workflowId } of client.workflow.list({ query })) ids.push(workflowId);
    return ids;
  } finally {
    await connection.close();
  }
}

const chains = async (): Promise<string[]> =>
  (await loops.db.query<{ chain_id: string }>('select chain_id from control_loops order by root_feeder_id')).rows.map(
    ({ chain_id }) => chain_id,
  );

interface Reading {
  readonly device_id: string;
  readonly power_kw: number;
  readonly at_ms: number;
}

/** Chargers against what they were told: each does so until its setpoint expires, then its default, which is 0. */
async function chargersAgainst(
  seen: readonly SeenSetpoint[],
  fromMs: number,
  untilMs: number,
): Promise<{ readonly following: number; readonly atDefault: number; readonly wrong: string[] }> {
  const lastTold = new Map<string, SeenSetpoint>();
  for (const setpoint of seen) if (setpoint.receivedAtMs <= fromMs) lastTold.set(setpoint.deviceId, setpoint);
  const { rows } = await loops.db.query<Reading>(
    `select device_id, power_kw, (extract(epoch from sampled_at) * 1000)::float8 as at_ms
       from telemetry join devices using (device_key)
      where device_type = 'ev' and sampled_at > to_timestamp($1 / 1000.0) and sampled_at < to_timestamp($2 / 1000.0)`,
    [fromMs, untilMs],
  );
  let [following, atDefault] = [0, 0];
  const wrong: string[] = [];
  for (const { device_id: deviceId, power_kw: kw, at_ms: atMs } of rows) {
    const setpoint = lastTold.get(deviceId);
    if (setpoint === undefined || setpoint.targetPowerKw < 2) continue;
    const leftMs = setpoint.validUntilMs - atMs;
    if (leftMs > 500 && kw > 1) following += 1;
    else if (leftMs < -SETTLED_MS && kw === 0) atDefault += 1;
    else if (leftMs > 500 || leftMs < -SETTLED_MS)
      wrong.push(`${deviceId} at ${String(kw)} kW with ${String(leftMs)} ms left`);
  }
  return { following, atDefault, wrong };
}

const count = async (table: string): Promise<number> =>
  Number((await loops.db.query<{ n: string }>(`select count(*) as n from ${table}`)).rows[0]?.n);

describe('Temporal away for a minute', () => {
  const ways: readonly (readonly [keyof typeof AWAY_MS, () => Promise<void> | void])[] = [
    ['killed', () => temporal.kill()],
    [
      'hung',
      () => {
        temporal.hang();
      },
    ],
  ];

  it.each(ways)(
    '%s: everything else works on, and the loops go on within two intervals of its return',
    async (how, leave) => {
      const { db, seen, system, nowMs } = loops;
      await eventually(() => everyLoopHasPlanned(db, 2, Date.now() - 3 * INTERVAL_MS), 6 * INTERVAL_MS, 250);
      const before = await chains();
      const operator = await apiAs(system, 'operator');
      await leave();
      const leftAt = await nowMs();
      await sleep(2_000);

      // The API reads, and refuses what needs a workflow before anything of it is written.
      const decided = [await count('dispatches'), await count('job_runs')];
      expect((await operator('GET', '/api/feeders')).status).toBe(200);
      const order = { feederId: 'sim-feeder-00001', importLimitKw: 5, endsAt: '2100-01-01T00:00:00Z', reason: 'r' };
      for (const refused of [
        await operator('POST', '/api/dispatches', order, { 'idempotency-key': crypto.randomUUID() }),
        await operator('POST', '/api/jobs/tick-audit/runs', {}),
      ]) {
        expect([refused.status, refused.body['type'], refused.headers.get('retry-after')]).toEqual([
          ...[503, '/api/docs/errors#TEMPORAL_UNAVAILABLE', '5'],
        ]);
      }
      expect([await count('dispatches'), await count('job_runs')]).toEqual(decided);
      expect(await metric(`${system.apiUrl}/metrics`, 'derms_temporal_up')).toBe(0);

      await sleep(Math.max(0, AWAY_MS[how] - ((await nowMs()) - leftAt)));
      // Telemetry is stored to the end: no device is older than its period and a little.
      const { rows: ages } = await db.query<{ oldest: number }>(
        'select max(extract(epoch from now() - sampled_at))::float8 as oldest from device_state',
      );
      expect(ages[0]?.oldest).toBeLessThan(8);
      await temporal.bringBack();
      const backAt = await nowMs();
      const chargers = await chargersAgainst(seen, leftAt, backAt);
      expect(chargers.wrong).toEqual([]);
      expect(chargers.following).toBeGreaterThan(100);
      if (how === 'killed') expect(chargers.atDefault).toBeGreaterThan(20);

      await eventually(() => everyLoopHasPlanned(db, 1, backAt), 4 * INTERVAL_MS, 100);
      const { rows } = await db.query<{ after: number }>(
        `select max(first - $1)::float8 / 1000 as after from (
         select extract(epoch from min(planned_at)) * 1000 as first from control_cycles
          where planned_at > to_timestamp($1 / 1000.0) group by root_feeder_id) f`,
        [backAt],
      );
      await eventually(() => everyLoopHasPlanned(db, 3, backAt), 6 * INTERVAL_MS, 250);
      const kept = sumOf(await controlGaps(db, leftAt));
      told(`Temporal ${how}`, { lastLoopAfterSeconds: rows[0]?.after, ...kept, ...chargers });
      expect(rows[0]?.after).toBeLessThanOrEqual(2 * INTERVAL_SECONDS);
      expect(kept.uncounted).toBe(0);
      expect(kept.missed).toBeGreaterThan(40); // twenty loops, of each about five ticks
      expect(await chains()).toEqual(before);
      expect(await runsThatFailed()).toEqual([]);
    },
    240_000,
  );
});
