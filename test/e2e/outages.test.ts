import { startMosquitto } from '../../local/mosquitto';
import { startPostgres } from '../../local/postgres';
import type { Database } from '../../db/pool';
import type { TestSystem } from '../../local/test-system';
import { eventually } from '../support/servers';
import { closeListeners, databaseOf, listenToSetpoints, metric, sleep, startDemo, type SeenSetpoint } from './support';

const AWAY_MS = 30_000;

let system: TestSystem;
let db: Database;
const replaced: { stop(): Promise<unknown> }[] = [];

beforeAll(async () => {
  system = await startDemo({ profile: 'durable' });
  db = databaseOf(system);
}, 60_000);
afterAll(async () => {
  await db.close();
  await system.stop();
  for (const server of replaced) await server.stop();
}, 60_000);

const health = async (): Promise<{ status: string; problems: string[] }> => {
  const startedAt = performance.now();
  const response = await fetch(`${system.apiUrl}/api/health`, { signal: AbortSignal.timeout(5_000) });
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  expect(response.status).toBe(200);
  return (await response.json()) as { status: string; problems: string[] };
};
const gauge = (name: string, labels?: Record<string, string>): Promise<number | undefined> =>
  metric(`${system.apiUrl}/metrics`, name, labels);

/** The part is away: health and metrics say so. It is back: they say so, and the loops go on by themselves. */
async function livesThrough(
  part: 'database' | 'broker',
  leave: () => Promise<void> | void,
  comeBack: () => Promise<void>,
): Promise<void> {
  const up = part === 'database' ? 'derms_db_up' : 'derms_mqtt_up';
  await eventually(
    async () => {
      expect(await health()).toMatchObject({ status: 'ok' });
      expect(await gauge('derms_control_loop_ok', { feeder: 'substation-north' })).toBe(1);
    },
    60_000,
    250,
  );
  const { rows: begun } = await db.query<{ now: Date }>('select now()');
  const leftAt = Date.now();
  await leave();
  await eventually(async () => expect(await gauge(up)).toBe(0), 10_000, 250);
  // The gauge is of this moment, the report of the last look, one second old at most.
  await eventually(async () => expect((await health()).status).toBe('degraded'), 4_000, 250);
  if (part === 'database') {
    await eventually(
      async () => expect(await gauge('derms_control_loop_ok', { feeder: 'substation-north' })).toBe(0),
      10_000,
      250,
    );
  }
  await sleep(Math.max(0, AWAY_MS - (Date.now() - leftAt)));
  await comeBack();
  await eventually(async () => expect(await gauge(up)).toBe(1), 20_000, 250);
  await eventually(
    async () => {
      const { rows } = await db.query<{ running: boolean }>(
        `select bool_and(finished_at > now() - interval '8 s') as running from control_loops`,
      );
      expect(rows[0]?.running).toBe(true);
      expect(await health()).toMatchObject({ status: 'ok', problems: [] });
      expect(await gauge('derms_control_loop_ok', { feeder: 'substation-north' })).toBe(1);
    },
    60_000,
    250,
  );
  await nothingAcknowledgedIsMissing(begun[0]!.now);
  await retainedSetpointsAreTheNewest();
}

/** What the broker acknowledged to the fleet is in Postgres: each device has a sample at least each 7.5 s. */
async function nothingAcknowledgedIsMissing(since: Date): Promise<void> {
  const { rows: produced } = await db.query<{ now: Date }>('select now()');
  await eventually(
    async () => {
      const { rows } = await db.query<{ late: string }>(
        'select count(*) as late from device_state where sampled_at < $1',
        [produced[0]!.now],
      );
      expect(rows[0]?.late).toBe('0');
    },
    20_000,
    250,
  );
  const { rows } = await db.query<{ gaps: string }>(
    `select count(*) as gaps from (
       select sampled_at - lag(sampled_at) over (partition by device_key order by sampled_at) as gap
         from telemetry where sampled_at > $1::timestamptz - interval '8 s') s where gap > interval '7.5 s'`,
    [since],
  );
  expect(rows[0]?.gaps).toBe('0');
}

/** A device that connects now hears the newest plan's setpoint, and hears no other. */
async function retainedSetpointsAreTheNewest(): Promise<void> {
  await eventually(
    async () => {
      const { rows: pending } = await db.query<{ count: string }>(
        'select count(*) from device_control where pending_plan_id is not null',
      );
      expect(pending[0]?.count).toBe('0');
      const listener = await listenToSetpoints(system);
      try {
        await eventually(
          () => expect(listener.seen.filter(({ retained }) => retained).length).toBeGreaterThanOrEqual(110),
          5_000,
        );
        const { rows } = await db.query<{ device_id: string; acknowledged_plan_id: string }>(
          'select device_id, acknowledged_plan_id from devices join device_control using (device_key) where acknowledged_valid_until > now()',
        );
        const newest = new Map(rows.map((row) => [row.device_id, row.acknowledged_plan_id]));
        const last = new Map<string, SeenSetpoint>(listener.seen.map((setpoint) => [setpoint.deviceId, setpoint]));
        const stale = [...last.values()].filter(
          ({ deviceId, correlationId }) => newest.has(deviceId) && newest.get(deviceId) !== correlationId,
        );
        expect(stale.map(({ deviceId }) => deviceId)).toEqual([]);
      } finally {
        await closeListeners();
      }
    },
    40_000,
    1_000,
  );
}

it('lives through PostgreSQL stopped for half a minute', async () => {
  const { postgres } = system.stack;
  await livesThrough(
    'database',
    async () => {
      await postgres.stop('immediate');
    },
    async () => {
      replaced.push(
        await startPostgres({
          dataDir: postgres.dataDir,
          port: postgres.port,
          user: postgres.superuser,
          password: postgres.password,
        }),
      );
    },
  );
}, 200_000);

it('lives through a broker stopped for half a minute', async () => {
  const { mosquitto, brokerUser, folder } = system.stack;
  await livesThrough(
    'broker',
    async () => {
      await mosquitto.stop();
    },
    async () => {
      replaced.push(
        await startMosquitto({ dataDir: `${folder}/mosquitto`, port: mosquitto.port, users: [brokerUser] }),
      );
    },
  );
}, 200_000);

it('lives through PostgreSQL hung for half a minute', async () => {
  const postgres = replaced[0] as Awaited<ReturnType<typeof startPostgres>>;
  await livesThrough(
    'database',
    () => {
      postgres.suspend();
    },
    async () => {
      postgres.resume();
    },
  );
}, 200_000);

it('lives through a broker hung for half a minute', async () => {
  const mosquitto = replaced[1] as Awaited<ReturnType<typeof startMosquitto>>;
  await livesThrough(
    'broker',
    () => {
      mosquitto.suspend();
    },
    async () => {
      mosquitto.resume();
    },
  );
}, 200_000);
