import { createDispatchProgress } from '../../../db/dispatch-progress';
import { createPlanStore } from '../../../db/plan-store';
import {
  imposeQuarantine,
  liftQuarantine,
  listQuarantines,
  readQuarantine,
  storeReconciliation,
} from '../../../db/quarantine';
import { createSetpointStore } from '../../../db/setpoint-store';
import { POLICY } from '../../support/policy';
import { addEv, addFeeder } from '../../support/fleet-rows';
import { createTestDatabase, type TestDatabase } from '../../support/servers';

const ADMIN = { user: 'ann', role: 'admin', requestId: 'r-1', address: '127.0.0.1' };
const RESTORE = {
  by: 'restore by ann',
  reason: 'restored from backup b-1',
  restoredFrom: 'b-1',
  dataAsOf: '2026-05-01T01:00:00.000Z',
};
const PLAN = '33333333-3333-4333-8333-333333333333';
const DISPATCH = '44444444-4444-4444-8444-444444444444';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const lift = (given: { force?: boolean } = {}) =>
  liftQuarantine(database.db, { reason: 'compared', force: given.force ?? false, actor: ADMIN });
const compare = (open: number) =>
  storeReconciliation(database.db, { by: 'ann', applied: open === 0, open, report: { findings: [] } });

describe('a quarantine', () => {
  it('is there from the restore to the lift, and stays on record', async () => {
    expect(await readQuarantine(database.db)).toBeNull();
    await imposeQuarantine(database.db, RESTORE);
    expect(await readQuarantine(database.db)).toMatchObject({
      imposedBy: 'restore by ann',
      reason: 'restored from backup b-1',
      restoredFrom: 'b-1',
      dataAsOf: '2026-05-01T01:00:00.000Z',
      lifted: null,
    });
    await compare(0);
    expect((await lift()).lifted).toMatchObject({ by: 'ann', reason: 'compared', forced: false });
    expect(await readQuarantine(database.db)).toBeNull();
    expect(await listQuarantines(database.db, 10)).toMatchObject([{ restoredFrom: 'b-1', lifted: { by: 'ann' } }]);
    const { rows } = await database.db.query('select actor, action, subject, outcome from audit_log');
    expect(rows).toEqual([{ actor: 'ann', action: 'quarantine.lift', subject: 'b-1', outcome: 'done' }]);
  });

  it('is lifted only after a comparison that is younger than the restore and left nothing open', async () => {
    await compare(0); // before the restore
    await imposeQuarantine(database.db, RESTORE);
    await expect(lift()).rejects.toMatchObject({ code: 'RECONCILIATION_MISSING' });
    await compare(3);
    await expect(lift()).rejects.toMatchObject({
      code: 'RECONCILIATION_MISSING',
      message: expect.stringContaining('3 findings open'),
    });
    await compare(0);
    await lift();
    await expect(lift()).rejects.toMatchObject({ code: 'NOT_QUARANTINED' });
  });

  it('is lifted by force too, which stays on record', async () => {
    await imposeQuarantine(database.db, RESTORE);
    expect((await lift({ force: true })).lifted).toMatchObject({ forced: true });
  });

  it('gives way to that of a newer restore', async () => {
    await imposeQuarantine(database.db, RESTORE);
    await imposeQuarantine(database.db, { ...RESTORE, restoredFrom: 'b-2' });
    expect((await readQuarantine(database.db))?.restoredFrom).toBe('b-2');
    expect(await listQuarantines(database.db, 10)).toHaveLength(2);
  });
});

describe('on a quarantined database', () => {
  beforeEach(async () => {
    await addFeeder(database.db, 'north');
    await addEv(database.db, 'ev-1', 'north');
  });

  it('the snapshot of a plan says so', async () => {
    const plans = createPlanStore(database.db, POLICY);
    const key = { rootFeederId: 'north', chainId: PLAN, chainStartedAtMs: 0, cycle: 1 };
    const look = () =>
      plans.plan(key, { statementTimeoutMs: 2_000, signal: AbortSignal.timeout(5_000) }, async (tx) => {
        await tx.claim();
        return (await tx.snapshot())?.quarantine;
      });
    expect(await look()).toBeNull();
    await imposeQuarantine(database.db, RESTORE);
    expect(await look()).toBe('restored from backup b-1');
  });

  it('a stored plan is not published, and one that is being published stops', async () => {
    const setpoints = createSetpointStore(database.db);
    await database.db.query(
      `insert into control_loops (root_feeder_id, chain_id, chain_started_at, cycle, plan_id, planned_at, nodes)
       values ('north', $1, now(), 1, $1, now(), '[]')`,
      [PLAN],
    );
    expect(await setpoints.load('north', PLAN)).toMatchObject({ setpoints: [] });
    expect(await setpoints.isNewest('north', PLAN)).toBe(true);
    await imposeQuarantine(database.db, RESTORE);
    await expect(setpoints.load('north', PLAN)).rejects.toMatchObject({ code: 'QUARANTINED' });
    expect(await setpoints.isNewest('north', PLAN)).toBe(false);
  });

  it('a dispatch stands still where it was, and goes on afterwards', async () => {
    const dispatches = createDispatchProgress(database.db);
    await database.db.query(
      `insert into dispatches (dispatch_id, feeder_id, starts_at, ends_at, begins_at, import_limit_kw, primacy, reason, state,
                               requested_by, request_digest)
       values ($1, 'north', now() - interval '2 h', now() - interval '1 h', now() - interval '2 h', 50, 100, 'heat', 'active', 'olga', '-')`,
      [DISPATCH],
    );
    await imposeQuarantine(database.db, RESTORE);
    const step = await dispatches.advance(DISPATCH);
    expect(step).toMatchObject({ state: 'active', changed: false });
    expect(step?.nextAtMs).toBeGreaterThan(Date.now());
    expect((await dispatches.wanted()).dispatches).toEqual([]);
    await lift({ force: true });
    expect((await dispatches.wanted()).dispatches).toHaveLength(1);
    expect(await dispatches.advance(DISPATCH)).toMatchObject({ state: 'completed', changed: true, nextAtMs: null });
  });
});
