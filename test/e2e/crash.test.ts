import { Client, Connection } from '@temporalio/client';
import type { Database } from '../../db/pool';
import { startTemporal, type TemporalOptions, type TemporalServer } from '../../local/temporal';
import type { TestSystem } from '../../local/test-system';
import { createScheduleControl } from '../../temporal/schedule-control';
import { eventually } from '../support/servers';
import { apiAs, closeListeners, databaseOf, listenToSetpoints, metric, sleep, startDemo } from './support';

let system: TestSystem;
let db: Database;

beforeEach(async () => {
  system = await startDemo();
  db = databaseOf(system);
}, 180_000);
afterEach(async () => {
  await closeListeners();
  await db.close();
  await system.stop();
}, 30_000);

async function dispatchFor(seconds: number): Promise<{ dispatchId: string; endsAtMs: number }> {
  const operator = await apiAs(system, 'operator');
  const endsAtMs = Date.now() + seconds * 1000;
  const { status, body } = await operator(
    'POST',
    '/api/dispatches',
    { feederId: 'elm-street', importLimitKw: 90, endsAt: new Date(endsAtMs).toISOString(), reason: 'before the crash' },
    { 'idempotency-key': crypto.randomUUID() },
  );
  expect(status).toBe(202);
  return { dispatchId: String(body['dispatchId']), endsAtMs };
}

const stateOf = async (dispatchId: string): Promise<{ state: string; at_ms: number }> => {
  const { rows } = await db.query<{ state: string; at_ms: number }>(
    `select state, (extract(epoch from at) * 1000)::float8 as at_ms from dispatch_history where dispatch_id = $1
      order by revision desc limit 1`,
    [dispatchId],
  );
  return rows[0]!;
};

const loopsPlanNow = async (): Promise<void> => {
  const { rows } = await db.query<{ fresh: boolean }>(
    `select bool_and(finished_at > now() - interval '8 s') as fresh from control_loops`,
  );
  expect(rows[0]?.fresh).toBe(true);
};

it('ends a dispatch in time when the worker is killed during it; no device gets two setpoints of one cycle, no telemetry is lost', async () => {
  const { seen } = await listenToSetpoints(system);
  await eventually(loopsPlanNow, 30_000);
  const { dispatchId, endsAtMs } = await dispatchFor(25);
  await eventually(async () => expect((await stateOf(dispatchId)).state).toBe('active'));
  const before = await db.query<{ now: Date }>('select now()');

  await system.running('worker').kill();
  await sleep(5_000);
  await system.start('worker');

  await eventually(async () => expect((await stateOf(dispatchId)).state).toBe('completed'), 60_000, 250);
  expect(Math.abs((await stateOf(dispatchId)).at_ms - endsAtMs)).toBeLessThan(6_000);
  await eventually(loopsPlanNow, 30_000);

  const perCycle = new Map<string, Set<number>>();
  for (const { deviceId, correlationId, targetPowerKw } of seen) {
    const key = `${String(correlationId)} ${deviceId}`;
    perCycle.set(key, (perCycle.get(key) ?? new Set()).add(targetPowerKw));
  }
  expect([...perCycle].filter(([, targets]) => targets.size > 1)).toEqual([]);

  // Every device reports each five seconds; the broker kept what came while nobody took it.
  const { rows } = await db.query<{ devices: string; gaps: string; doubled: string }>(
    `with samples as (
       select device_key, sampled_at, lag(sampled_at) over (partition by device_key order by sampled_at) as before
         from telemetry where sampled_at > $1::timestamptz - interval '10 s')
     select count(distinct device_key) as devices,
            count(*) filter (where sampled_at - before > interval '7.5 s') as gaps,
            count(*) filter (where sampled_at = before) as doubled from samples`,
    [before.rows[0]?.now],
  );
  expect(rows[0]).toEqual({ devices: '120', gaps: '0', doubled: '0' });
}, 150_000);

it('has its loops, dispatches and paused schedules again after Temporal’s database was lost, and ends the dispatch in time', async () => {
  await eventually(loopsPlanNow, 30_000);
  const operator = await apiAs(system, 'operator');
  const pause = '/api/schedules/job-tick-audit/pause';
  expect((await operator('POST', pause, { reason: 'the clocks are changed' })).status).toBe(200);
  const { dispatchId, endsAtMs } = await dispatchFor(75);
  await eventually(async () => expect((await stateOf(dispatchId)).state).toBe('active'));
  const { port } = system.stack.temporal;
  let server: Pick<TemporalServer, 'kill' | 'stop'> = system.stack.temporal;
  const replaceBy = async (empty: Partial<TemporalOptions>): Promise<void> => {
    await server.kill();
    await sleep(3_000);
    server = await startTemporal({ headless: true, port, ...empty });
  };
  const restarts = (): Promise<number | undefined> =>
    metric(`http://127.0.0.1:${String(system.ports.metrics)}/metrics`, 'derms_worker_role_restarts_total', {
      worker_role: 'control',
    });
  try {
    // Another server with nothing in it; then one on which not even the namespace is there.
    for (const empty of [{}, { namespace: 'somebody-elses', searchAttributes: [] }]) {
      const before = await chains();
      await replaceBy(empty);
      await eventually(
        async () => {
          expect((await chains()).every((chain, index) => chain !== before[index])).toBe(true);
          await loopsPlanNow();
          expect(await inTemporal('job-tick-audit')).toEqual({
            paused: true,
            note: 'operator: the clocks are changed',
          });
        },
        40_000,
        250,
      );
      if (!('namespace' in empty)) expect(await restarts()).toBe(0);
    }
    await eventually(async () => expect((await stateOf(dispatchId)).state).toBe('completed'), 90_000, 250);
    expect(Math.abs((await stateOf(dispatchId)).at_ms - endsAtMs)).toBeLessThan(6_000);
    const { rows } = await db.query<{ cycles: string }>(
      'select count(*) as cycles from control_cycles where cycle = 1',
    );
    expect(Number(rows[0]?.cycles)).toBe(6); // two roots, three chains each
  } finally {
    await server.stop();
  }
}, 240_000);

const chains = async (): Promise<string[]> =>
  (await db.query<{ chain_id: string }>('select chain_id from control_loops order by root_feeder_id')).rows.map(
    ({ chain_id }) => chain_id,
  );

async function inTemporal(scheduleId: string): Promise<{ paused: boolean; note: string | null } | null> {
  const connection = await Connection.connect({ address: system.stack.temporal.address });
  try {
    const client = new Client({ connection, namespace: 'derms' });
    const found = await createScheduleControl(client).describe(scheduleId);
    return found === null ? null : { paused: found.paused, note: found.note };
  } finally {
    await connection.close();
  }
}
