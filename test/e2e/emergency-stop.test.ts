import type { Database } from '../../db/pool';
import type { TestSystem } from '../../local/test-system';
import { partsOf, type Part, type PartName } from '../support/parts';
import { eventually } from '../support/servers';
import { apiAs, closeListeners, databaseOf, listenToSetpoints, metric, sleep, startDemo } from './support';
import { moving, standsStill, underControl } from './moving-devices';

const PATH = '/api/emergency-stop';

let system: TestSystem;
let db: Database;
let admin: Awaited<ReturnType<typeof apiAs>>;
let operator: Awaited<ReturnType<typeof apiAs>>;
let parts: Readonly<Record<PartName, Part>>;

beforeAll(async () => {
  system = await startDemo({ profile: 'durable', temporalData: 'file' });
  parts = partsOf(system);
  db = databaseOf(system);
  admin = await apiAs(system, 'admin');
  operator = await apiAs(system, 'operator');
}, 180_000);
afterAll(async () => {
  await parts.temporal.bringBack();
  await closeListeners();
  await db.close();
  await system.stop();
  for (const part of Object.values(parts)) await part.stop();
}, 60_000);

it('with Temporal hung, stops every device, outlives its return, and is lifted by an administrator only', async () => {
  await underControl(db, 60_000);
  parts.temporal.hang();
  await sleep(1_000);
  const { status, body } = await admin('POST', PATH, { safeState: 'zero', reason: 'people on the line' });
  expect([status, body]).toMatchObject([
    200,
    { safeState: 'zero', databaseFailure: null, brokerFailure: null, devicesTold: 120, devicesNotTold: [] },
  ]);
  await standsStill(db, 20_000);
  expect(await metric(`${system.apiUrl}/metrics`, 'derms_emergency_stop')).toBe(1);

  await parts.temporal.bringBack();
  await eventually(
    async () => {
      const { rows } = await db.query<{ obeyed: boolean }>(
        `select bool_and(emergency_stop_id is not null and finished_at > now() - interval '6 s') as obeyed from control_loops`,
      );
      expect(rows[0]?.obeyed).toBe(true);
    },
    60_000,
    250,
  );
  expect(await moving(db)).toEqual({ battery: 0, ev: 0, pv: 0 });

  expect((await operator('DELETE', `${PATH}?reason=bored`)).status).toBe(403);
  expect((await admin('DELETE', PATH)).status).toBe(422);
  expect((await admin('DELETE', `${PATH}?reason=they+are+gone`)).status).toBe(200);
  await underControl(db, 60_000);
  expect(await metric(`${system.apiUrl}/metrics`, 'derms_emergency_stop')).toBe(0);
}, 200_000);

it('with Postgres gone, goes straight to the broker from the API and from the command line, and outlives its return', async () => {
  const { seen } = await listenToSetpoints(system);
  await underControl(db, 60_000);
  await parts.postgres.kill();
  const { status, body } = await admin('POST', PATH, { safeState: 'default', reason: 'smoke in the cabinet' });
  expect([status, body]).toMatchObject([200, { databaseFailure: expect.any(String), brokerFailure: null }]);
  const since = Date.now();
  await system.derms('emergency-stop', '--safe-state', 'zero', '--reason', 'fire', '--by', 'ann', '--listen', '10');
  const zeroed = new Set(
    seen
      .filter(({ receivedAtMs, targetPowerKw }) => receivedAtMs >= since && targetPowerKw === 0)
      .map(({ deviceId }) => deviceId),
  );
  expect(zeroed.size).toBe(120);

  await parts.postgres.bringBack();
  await eventually(
    async () => {
      const stops = (await admin('GET', PATH)).body;
      expect(stops).toMatchObject({
        inForce: { safeState: 'zero', reason: 'fire', engagedBy: 'ann', learnedFrom: 'broker' },
      });
    },
    30_000,
    250,
  );
  await sleep(8_000); // more than one cycle
  await standsStill(db, 20_000);
  const afterReturn = seen.filter(({ receivedAtMs, targetPowerKw }) => receivedAtMs > since && targetPowerKw !== 0);
  expect(afterReturn).toEqual([]);
  const { rows } = await db.query<{ line: string }>(
    "select concat_ws(' ', actor, action, outcome) as line from audit_log where action like 'emergency-stop.%' order by id desc limit 1",
  );
  expect(rows[0]?.line).toBe('ann emergency-stop.engage done');

  await system.derms('emergency-stop', 'lift', '--reason', 'the fire is out');
  await underControl(db, 60_000);
}, 200_000);

it('with Temporal and Postgres gone at once, outlives the return of both, and is lifted by an administrator with a reason', async () => {
  await underControl(db, 60_000);
  await Promise.all([parts.temporal.kill(), parts.postgres.kill()]);
  const { status, body } = await admin('POST', PATH, { safeState: 'zero', reason: 'a line is down' });
  expect([status, body]).toMatchObject([200, { databaseFailure: expect.any(String), brokerFailure: null }]);
  expect((body['devicesTold'] as number) + (body['devicesNotTold'] as string[]).length).toBeGreaterThan(100);
  expect(body['devicesNotTold']).toEqual([]);

  await Promise.all([parts.temporal.bringBack(), parts.postgres.bringBack()]);
  await eventually(
    async () => {
      const { rows } = await db.query<{ obeyed: boolean }>(
        `select bool_and(emergency_stop_id is not null and finished_at > now() - interval '6 s') as obeyed from control_loops`,
      );
      expect(rows[0]?.obeyed).toBe(true);
    },
    60_000,
    250,
  );
  await standsStill(db, 20_000);

  expect((await operator('DELETE', `${PATH}?reason=bored`)).status).toBe(403);
  expect((await admin('DELETE', PATH)).status).toBe(422);
  await expect(system.derms('emergency-stop', 'lift')).rejects.toThrow(/--reason/);
  expect((await admin('GET', PATH)).body).toMatchObject({ inForce: { safeState: 'zero', reason: 'a line is down' } });
  expect((await admin('DELETE', `${PATH}?reason=it+is+up+again`)).status).toBe(200);
  await underControl(db, 60_000);
}, 200_000);
