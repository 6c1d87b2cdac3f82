import { randomUUID } from 'node:crypto';
import { createPlanStore } from '../../../db/plan-store';
import { listLoops } from '../../../db/control-loop-reads';
import { createSetpointStore } from '../../../db/setpoint-store';
import { decodeSnapshot } from '../../../db/snapshot-codec';
import type { Claim, CycleKey, PlanAnswer, PlanRecord } from '../../../domain/control-cycle';
import type { TreeSnapshot } from '../../../domain/fleet';
import type { DevicePlan } from '../../../domain/plan';
import { addEv, addFeeder } from '../../support/fleet-rows';
import { POLICY } from '../../support/policy';
import { createTestDatabase, type TestDatabase } from '../../support/servers';

const CHAIN = '11111111-1111-4111-8111-111111111111';
const NEWER_CHAIN = '22222222-2222-4222-8222-222222222222';
const STARTED_MS = Date.parse('2026-07-01T16:00:00Z');

let database: TestDatabase;
let plans: ReturnType<typeof createPlanStore>;
let setpoints: ReturnType<typeof createSetpointStore>;

beforeEach(async () => {
  database = await createTestDatabase();
  plans = createPlanStore(database.db, POLICY);
  setpoints = createSetpointStore(database.db);
  await addFeeder(database.db, 'north');
  await addEv(database.db, 'ev-1', 'north');
});
afterEach(() => database.drop());

const key = (given: Partial<CycleKey> = {}): CycleKey => ({
  rootFeederId: 'north',
  chainId: CHAIN,
  chainStartedAtMs: STARTED_MS,
  cycle: 1,
  ...given,
});

const limits = () => ({ statementTimeoutMs: 2_000, signal: AbortSignal.timeout(5_000) });

const evAt = (targetKw: number, publish: DevicePlan['publish'] = 'change'): DevicePlan => ({
  deviceId: 'ev-1',
  feederId: 'north',
  targetKw,
  publish,
  explanation: { level: -0.4, tier: 2, boundBy: 'north', note: 'bound-by-node' },
  offSetpointCycles: 0,
  notFollowingUntilMs: null,
  waitsSinceMs: null,
  waitedUntilMs: null,
});

const record = (tree: TreeSnapshot, planId: string, devices: DevicePlan[]): PlanRecord => {
  const setpointCount = devices.filter(({ publish }) => publish !== 'none').length;
  const answer: PlanAnswer = {
    outcome: setpointCount > 0 ? 'publish' : 'nothing-to-publish',
    planId,
    mode: 'automatic',
    intervalSeconds: 10,
    setpoints: setpointCount,
    missedTicks: 0,
    summary: 'cycle 1',
    last: false,
  };
  const plan = {
    devices,
    nodes: [],
    staleDevices: [],
    offlineDevices: [],
    notFollowingDevices: [],
    unratedDevices: [],
  };
  return { planId, tickMs: tree.nowMs, missedTicks: 0, tree, plan, answer, proposes: null, applies: null };
};

/** Claims, reads and stores one cycle, as planCycle does; returns the claim and what was read. */
async function planned(
  cycleKey: CycleKey,
  planId: string,
  devices: DevicePlan[],
): Promise<{ claim: Claim; tree: TreeSnapshot | null }> {
  return plans.plan(cycleKey, limits(), async (tx) => {
    const claim = await tx.claim();
    if (claim.kind !== 'fresh') return { claim, tree: null };
    const found = await tx.snapshot();
    if (found === null) return { claim, tree: null };
    await tx.store(record(found.tree, planId, devices));
    return { claim, tree: found.tree };
  });
}

/** How a later cycle sees the charger. */
let later = 100;
const evNow = async () => {
  later += 1;
  const { tree } = await planned(key({ cycle: later }), randomUUID(), []);
  return tree?.devices[0];
};

describe('claiming a cycle', () => {
  it('is fresh for the first cycle of a root', async () => {
    expect((await planned(key(), randomUUID(), [])).claim).toEqual({
      kind: 'fresh',
      previousTickMs: null,
      previousIntervalSeconds: null,
    });
  });

  it('gives the stored answer when the same cycle asks again', async () => {
    const planId = randomUUID();
    await planned(key(), planId, [evAt(7)]);
    expect((await planned(key(), randomUUID(), [])).claim).toMatchObject({ kind: 'stored', answer: { planId } });
  });

  it('is refused to a cycle that the chain has passed', async () => {
    await planned(key({ cycle: 5 }), randomUUID(), []);
    expect((await planned(key({ cycle: 4 }), randomUUID(), [])).claim).toEqual({ kind: 'superseded' });
  });

  it('goes to the newer chain, though its cycles begin at one, and never back to the older', async () => {
    await planned(key({ cycle: 812 }), randomUUID(), []);
    const newer = key({ chainId: NEWER_CHAIN, chainStartedAtMs: STARTED_MS + 1, cycle: 1 });
    expect((await planned(newer, randomUUID(), [])).claim).toMatchObject({ kind: 'fresh' });
    expect((await planned(key({ cycle: 813 }), randomUUID(), [])).claim).toEqual({ kind: 'superseded' });
  });

  it('lets one of two planners of the same cycle plan', async () => {
    const both = await Promise.all([planned(key(), randomUUID(), []), planned(key(), randomUUID(), [])]);
    expect(both.map(({ claim }) => claim.kind).sort()).toEqual(['fresh', 'stored']);
    const { rows } = await database.db.query<{ count: string }>('select count(*) from control_cycles');
    expect(rows[0]?.count).toBe('1');
  });
});

describe('a stored plan', () => {
  it('can be made again from its recorded input, to the bit', async () => {
    const { tree } = await planned(key(), randomUUID(), [evAt(7)]);
    const { rows } = await database.db.query<{ inputs: Buffer; digest: Buffer }>(
      'select inputs, digest from control_cycle_inputs',
    );
    expect(await decodeSnapshot(rows[0]!.inputs, rows[0]!.digest)).toEqual(tree);
  });

  it('makes its setpoints pending until the broker has acknowledged them', async () => {
    const planId = randomUUID();
    const { tree } = await planned(key(), planId, [evAt(7)]);
    expect(await evNow()).toMatchObject({ acknowledged: null, pending: { targetKw: 7, lowKw: 7, highKw: 7 } });
    await setpoints.acknowledge(planId, tree!.nowMs, 1, ['ev-1']);
    expect(await evNow()).toMatchObject({ acknowledged: { targetKw: 7 }, pending: null });
    const { rows } = await database.db.query('select acknowledged_at is not null as acknowledged from setpoints');
    expect(rows).toEqual([{ acknowledged: true }]);
  });

  it('keeps the span of everything that was sent since the last acknowledgement', async () => {
    await planned(key({ cycle: 1 }), randomUUID(), [evAt(7)]);
    await planned(key({ cycle: 2 }), randomUUID(), [evAt(3)]);
    await planned(key({ cycle: 3 }), randomUUID(), [evAt(5)]);
    expect(await evNow()).toMatchObject({ pending: { targetKw: 5, lowKw: 3, highKw: 7 } });
  });

  it('is not acknowledged by the late answer to an older plan', async () => {
    const older = randomUUID();
    const { tree } = await planned(key({ cycle: 1 }), older, [evAt(7)]);
    await planned(key({ cycle: 2 }), randomUUID(), [evAt(3)]);
    await setpoints.acknowledge(older, tree!.nowMs, 1, ['ev-1']);
    expect(await evNow()).toMatchObject({ acknowledged: null, pending: { targetKw: 3 } });
  });

  it('counts as sent but not acknowledged once a new broker session began', async () => {
    const planId = randomUUID();
    const { tree } = await planned(key(), planId, [evAt(7)]);
    await setpoints.acknowledge(planId, tree!.nowMs, 1, ['ev-1']);
    await setpoints.beginBrokerSession();
    expect(await evNow()).toMatchObject({ acknowledged: { targetKw: 7 }, pending: { targetKw: 7 } });
  });

  it('is loaded for publishing only while it is the newest of its root', async () => {
    const first = randomUUID();
    await planned(key({ cycle: 1 }), first, [evAt(7)]);
    expect(await setpoints.load('north', first)).toMatchObject({
      setpoints: [{ deviceId: 'ev-1', targetKw: 7, fromLowKw: 0 }],
    });
    await planned(key({ cycle: 2 }), randomUUID(), [evAt(3)]);
    expect(await setpoints.load('north', first)).toBeNull();
    expect(await setpoints.isNewest('north', first)).toBe(false);
  });
});

describe('the picture a plan is made from', () => {
  it('corrects the age of a sample by the device’s clock offset', async () => {
    await addEv(database.db, 'ev-late-clock', 'north', { ageSeconds: 600, clockOffsetMs: 598_000 });
    const { tree } = await planned(key(), randomUUID(), []);
    const age = tree?.devices.find(({ deviceId }) => deviceId === 'ev-late-clock')?.reading?.ageSeconds;
    expect(age).toBeGreaterThanOrEqual(2);
    expect(age).toBeLessThan(3);
  });

  it('holds the whole tree under the root, and no other', async () => {
    await addFeeder(database.db, 'north-a', { parentId: 'north', rootId: 'north' });
    await addFeeder(database.db, 'south');
    await addEv(database.db, 'ev-2', 'north-a');
    await addEv(database.db, 'ev-3', 'south');
    const { tree } = await planned(key(), randomUUID(), []);
    expect(tree?.feeders.map(({ feederId }) => feederId)).toEqual(['north', 'north-a']);
    expect(tree?.devices.map(({ deviceId }) => deviceId)).toEqual(['ev-1', 'ev-2']);
  });

  it('is nothing for a feeder that hangs below another', async () => {
    await addFeeder(database.db, 'north-a', { parentId: 'north', rootId: 'north' });
    expect((await planned(key({ rootFeederId: 'north-a' }), randomUUID(), [])).tree).toBeNull();
  });
});

it('keeps who waits for its turn from plan to plan', async () => {
  const waitsSinceMs = Date.parse('2026-07-01T16:00:00Z');
  await planned(key({ cycle: 1 }), randomUUID(), [{ ...evAt(0), waitsSinceMs }]);
  expect(await evNow()).toMatchObject({ waitsSinceMs, waitedUntilMs: null });
  later += 1;
  await planned(key({ cycle: later }), randomUUID(), [{ ...evAt(7), waitedUntilMs: waitsSinceMs + 900_000 }]);
  expect(await evNow()).toMatchObject({ waitsSinceMs: null, waitedUntilMs: waitsSinceMs + 900_000 });
});

describe('the ticks of a loop', () => {
  const nowMs = Date.now();
  const tick = async (cycle: number, tickMs: number, publishes: boolean, last = false): Promise<string> => {
    const planId = randomUUID();
    await plans.plan(key({ cycle }), limits(), async (tx) => {
      await tx.claim();
      const found = await tx.snapshot();
      const stored = record(found!.tree, planId, publishes ? [evAt(cycle)] : []);
      await tx.store({ ...stored, tickMs, answer: { ...stored.answer, last } });
    });
    return planId;
  };
  const counted = async () => {
    const [loop] = await listLoops(database.db, { nodes: 'without-nodes' });
    return [loop?.last?.onTimeTicks, loop?.last?.lateTicks];
  };

  it('are on time when the cycle is over within one interval, and late when it was never published', async () => {
    await tick(1, nowMs + 60_000, false);
    expect(await counted()).toEqual([1, 0]);
    await tick(2, nowMs + 70_000, true);
    expect(await counted()).toEqual([1, 0]); // not published yet
    await setpoints.finish('north', await tick(3, nowMs + 80_000, true));
    expect(await counted()).toEqual([2, 1]); // the one before was never published
  });

  it('are late when their cycle is over too late', async () => {
    await tick(1, nowMs - 30_000, false);
    await setpoints.finish('north', await tick(2, nowMs - 20_000, true));
    expect(await counted()).toEqual([0, 2]);
  });

  it('count once, also when a wake makes another cycle before the next', async () => {
    await tick(1, nowMs + 60_000, false);
    const again = await tick(2, nowMs + 60_000, true);
    await setpoints.finish('north', again);
    await setpoints.finish('north', again);
    expect(await counted()).toEqual([1, 0]);
  });

  it('are nobody’s after the loop was told to end', async () => {
    await tick(1, nowMs - 86_400_000, false, true);
    const claim = await plans.plan(key({ chainId: NEWER_CHAIN, chainStartedAtMs: STARTED_MS + 1 }), limits(), (tx) =>
      tx.claim(),
    );
    expect(claim).toMatchObject({ kind: 'fresh', previousTickMs: null });
  });
});
