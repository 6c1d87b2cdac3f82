import {
  adoptEmergencyStop,
  engageEmergencyStop,
  liftEmergencyStop,
  listEmergencyStops,
  readEmergencyStop,
} from '../../../db/emergency-stops';
import { readDevicesToStop } from '../../../db/devices-to-stop';
import { createPlanStore } from '../../../db/plan-store';
import { createSetpointStore } from '../../../db/setpoint-store';
import { planCycle } from '../../../activities/plan-cycle';
import { planTree } from '../../../domain/plan-tree';
import type { SafeState } from '../../../domain/fleet';
import { addEv, addFeeder } from '../../support/fleet-rows';
import { POLICY } from '../../support/policy';
import { createTestDatabase, type TestDatabase } from '../../support/servers';

const ADMIN = { user: 'ann', role: 'admin', requestId: 'r-1', address: '127.0.0.1' };
const FIRST = '11111111-1111-4111-8111-111111111111';
const SECOND = '22222222-2222-4222-8222-222222222222';
const CHAIN = '33333333-3333-4333-8333-333333333333';
const PLAN = '44444444-4444-4444-8444-444444444444';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const engage = (stopId: string, safeState: SafeState = 'zero') =>
  engageEmergencyStop(database.db, { stopId, safeState, reason: 'people on the line', actor: ADMIN });
const adopt = (stopId: string, safeState: SafeState = 'zero') =>
  adoptEmergencyStop(database.db, {
    ...{ stopId, safeState, reason: 'people on the line', engagedBy: 'root' },
    engagedAt: '2026-07-01T17:00:00.000Z',
  });
const lift = () => liftEmergencyStop(database.db, { reason: 'they are gone', actor: ADMIN });
const audited = async (): Promise<string[]> => {
  const { rows } = await database.db.query<{ line: string }>(
    "select concat_ws(' ', actor, action, subject, outcome) as line from audit_log order by id",
  );
  return rows.map(({ line }) => line);
};

describe('an emergency stop', () => {
  it('is there from its order to its lifting, stays on record, and both are audited', async () => {
    expect(await readEmergencyStop(database.db)).toBeNull();
    await engage(FIRST);
    expect(await readEmergencyStop(database.db)).toMatchObject({
      ...{ stopId: FIRST, safeState: 'zero', reason: 'people on the line', engagedBy: 'ann' },
      ...{ learnedFrom: 'api', lifted: null },
    });
    expect((await lift()).lifted).toMatchObject({ by: 'ann', reason: 'they are gone' });
    expect(await readEmergencyStop(database.db)).toBeNull();
    await expect(lift()).rejects.toMatchObject({ code: 'NOT_STOPPED' });
    expect(await listEmergencyStops(database.db, 10)).toHaveLength(1);
    expect(await audited()).toEqual([
      `ann emergency-stop.engage ${FIRST} done`,
      `ann emergency-stop.lift ${FIRST} done`,
    ]);
  });

  it('goes on when somebody orders the same again, and gives way to one with another safe state', async () => {
    await engage(FIRST, 'default');
    expect(await engage(SECOND, 'default')).toMatchObject({ stopId: FIRST });
    const third = '55555555-5555-4555-8555-555555555555';
    expect(await engage(third, 'zero')).toMatchObject({ stopId: third });
    expect(await readEmergencyStop(database.db)).toMatchObject({ stopId: third, safeState: 'zero' });
    expect(await listEmergencyStops(database.db, 10)).toHaveLength(3);
  });

  it('that two order at once is one', async () => {
    await Promise.all([engage(FIRST), engage(SECOND)]);
    const stops = await listEmergencyStops(database.db, 10);
    expect(stops.filter(({ lifted }) => lifted === null)).toHaveLength(1);
    expect(stops).toHaveLength(2);
  });

  it('takes proposals with it that nobody has carried out', async () => {
    await addFeeder(database.db, 'north', { mode: 'manual' });
    await database.db.query(
      `insert into proposals (root_feeder_id, plan_id, proposed_at, targets) values ('north', $1, now(), '{}')`,
      [PLAN],
    );
    await engage(FIRST);
    expect((await database.db.query('select 1 from proposals')).rows).toEqual([]);
  });

  it('cannot be deleted by the application', async () => {
    await engage(FIRST);
    await expect(database.db.query('delete from emergency_stops')).rejects.toMatchObject({ code: '42501' });
  });
});

describe('a stop that the broker holds', () => {
  it('is written down once, as what it is', async () => {
    expect(await adopt(FIRST)).toMatchObject({ stopId: FIRST, safeState: 'zero' });
    expect(await adopt(FIRST)).toMatchObject({ stopId: FIRST });
    expect(await listEmergencyStops(database.db, 10)).toMatchObject([
      { stopId: FIRST, learnedFrom: 'broker', engagedBy: 'root', engagedAt: '2026-07-01T17:00:00.000Z' },
    ]);
    expect(await audited()).toEqual([`root emergency-stop.engage ${FIRST} done`]);
  });

  it('is none any more once it was lifted here', async () => {
    await engage(FIRST);
    await lift();
    expect(await adopt(FIRST)).toBeNull();
    expect(await readEmergencyStop(database.db)).toBeNull();
  });

  it('joins the one in force, and is no new one when that is lifted', async () => {
    await engage(FIRST, 'default');
    expect(await adopt(SECOND)).toMatchObject({ stopId: FIRST, safeState: 'default' });
    await lift();
    expect(await adopt(SECOND)).toBeNull();
  });
});

describe('under an emergency stop', () => {
  const key = { rootFeederId: 'north', chainId: CHAIN, chainStartedAtMs: 0 };
  const plan = (cycle: number) =>
    planCycle(
      { plans: createPlanStore(database.db, POLICY), planTree, newPlanId: () => PLAN.replace(/^4/, String(cycle)) },
      { ...key, cycle, tickMs: Date.now(), final: false, timeoutMs: 3_000 },
      AbortSignal.timeout(5_000),
    );
  beforeEach(async () => {
    await addFeeder(database.db, 'north');
    await addEv(database.db, 'ev-1', 'north');
  });

  it('a plan is the safe state, and a plan from before it is not published any more', async () => {
    const setpoints = createSetpointStore(database.db);
    const before = await plan(1);
    expect(await setpoints.isNewest('north', before.planId!)).toBe(true);
    expect(await setpoints.load('north', before.planId!)).toMatchObject({ emergencyStopId: null });
    await engage(FIRST);
    expect(await setpoints.isNewest('north', before.planId!)).toBe(false);
    expect(await setpoints.load('north', before.planId!)).toBeNull();

    const under = await plan(2);
    expect(under.summary).toContain('EMERGENCY STOP (zero)');
    expect(await setpoints.load('north', under.planId!)).toMatchObject({
      emergencyStopId: FIRST,
      setpoints: [{ deviceId: 'ev-1', targetKw: 0 }],
    });
    await lift();
    expect(await setpoints.load('north', under.planId!)).toBeNull();
    expect((await plan(3)).summary).not.toContain('EMERGENCY');
  });
});

it('knows where each device is sent', async () => {
  await addFeeder(database.db, 'north');
  await addEv(database.db, 'ev-1', 'north');
  await database.db.query(
    `insert into devices (device_id, device_type, feeder_id, max_import_kw, max_export_kw, feeder_origin, rating_origin)
     values ('pv-1', 'pv', 'north', 0, 12, 'registry', 'registry')`,
  );
  expect(await readDevicesToStop(database.db, 'default')).toEqual([
    { deviceType: 'ev', deviceId: 'ev-1', sign: null, safeKw: 0 },
    { deviceType: 'pv', deviceId: 'pv-1', sign: null, safeKw: -12 },
  ]);
  expect((await readDevicesToStop(database.db, 'zero')).map(({ safeKw }) => safeKw)).toEqual([0, 0]);
});
