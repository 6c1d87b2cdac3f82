import { randomUUID } from 'node:crypto';
import { listAudit } from '../../../db/audit';
import { approvePlan, orderLoop } from '../../../db/control-loop-orders';
import { listCycles, listLoops, readProposal } from '../../../db/control-loop-reads';
import { addFeeder } from '../../support/fleet-rows';
import { createTestDatabase, type TestDatabase } from '../../support/servers';
import { ANNA } from './people-writes';

let database: TestDatabase;
const PLAN = randomUUID();
beforeEach(async () => {
  database = await createTestDatabase();
  await addFeeder(database.db, 'north');
  await addFeeder(database.db, 'a', { parentId: 'north', rootId: 'north' });
  await addFeeder(database.db, 'south');
});
afterEach(() => database.drop());

describe('the loops', () => {
  it('are one per root, with the last cycle and its age where there is one', async () => {
    await database.db.query(
      `insert into control_loops (root_feeder_id, chain_id, chain_started_at, cycle, plan_id, planned_at, finished_at, finished_cycle, nodes)
       values ('north', $1, now(), 812, $1, now(), now() - interval '4 s', 811, '[{"feederId":"north"}]')`,
      [PLAN],
    );
    const [north, south] = await listLoops(database.db, { nodes: 'with-nodes' });
    expect(north).toMatchObject({
      rootFeederId: 'north',
      last: { cycle: 812, finishedCycle: 811, planId: PLAN, nodes: [{ feederId: 'north' }] },
    });
    expect(north?.last?.finishedAgeSeconds).toBeGreaterThanOrEqual(4);
    expect(north?.last?.finishedAgeSeconds).toBeLessThan(5);
    expect(south).toMatchObject({ rootFeederId: 'south', enabled: true, last: null });
    const [lean] = await listLoops(database.db, { rootFeederId: 'north', nodes: 'without-nodes' });
    expect(lean?.last?.nodes).toEqual([]);
  });

  it('take orders at their root, whichever node is named', async () => {
    const root = await orderLoop(database.db, {
      feederId: 'a',
      action: 'control-loop.mode',
      change: { mode: 'manual' },
      actor: ANNA,
    });
    expect([root.feederId, root.mode, root.enabled, root.revision]).toEqual(['north', 'manual', true, 2]);
    const [row] = await listAudit(database.db, {
      actor: null,
      action: null,
      subject: 'north',
      beforeId: null,
      limit: 1,
    });
    expect(row).toMatchObject({
      action: 'control-loop.mode',
      detail: { before: { mode: 'automatic' }, after: { mode: 'manual', intervalSeconds: 10, enabled: true } },
    });
    await expect(
      orderLoop(database.db, { feederId: 'nowhere', action: 'x', change: {}, actor: ANNA }),
    ).rejects.toMatchObject({ code: 'FEEDER_NOT_FOUND' });
  });
});

describe('approving a plan', () => {
  const approve = (planId: string) => approvePlan(database.db, { feederId: 'a', planId, actor: ANNA });
  beforeEach(async () => {
    await database.db.query(
      `insert into proposals (root_feeder_id, plan_id, proposed_at, targets) values ('north', $1, now(), '{"ev-1": 7}')`,
      [PLAN],
    );
  });

  it('writes who and when, once', async () => {
    const first = await approve(PLAN);
    const again = await approvePlan(database.db, { feederId: 'a', planId: PLAN, actor: { ...ANNA, user: 'otto' } });
    expect(again).toEqual(first);
    expect(await readProposal(database.db, 'north')).toMatchObject({
      planId: PLAN,
      targets: { 'ev-1': 7 },
      approvedBy: 'anna',
      approvedAt: first.approvedAt,
      appliedAt: null,
    });
    expect(
      await listAudit(database.db, {
        actor: null,
        action: 'control-loop.approve',
        subject: null,
        beforeId: null,
        limit: 5,
      }),
    ).toHaveLength(1);
  });

  it('that does not wait is refused', async () => {
    await expect(approve(randomUUID())).rejects.toMatchObject({ code: 'PLAN_NOT_FOUND' });
    expect(await readProposal(database.db, 'south')).toBeNull();
  });
});

it('cycles are read newest first, page by page, inside their window', async () => {
  for (let cycle = 1; cycle <= 5; cycle += 1) {
    await database.db.query(
      `insert into control_cycles (root_feeder_id, chain_id, cycle, planned_at, plan_id, tick_at, missed_ticks, mode,
                                   interval_seconds, changes, renewals, infeasible, summary, nodes)
       values ('north', $1, $2, now() - make_interval(secs => $3), gen_random_uuid(), now(), 0, 'automatic', 10, 1, 2,
               false, $4, '[]')`,
      [PLAN, cycle, 10 * (5 - cycle), `cycle ${String(cycle)}`],
    );
  }
  const ask = { rootFeederId: 'north', from: null, to: null, before: null, limit: 3 };
  const first = await listCycles(database.db, ask);
  expect(first.map(({ cycle }) => cycle)).toEqual([5, 4, 3]);
  const last = first[2];
  const second = await listCycles(database.db, { ...ask, before: { plannedAt: last?.plannedAt ?? '', cycle: 3 } });
  expect(second.map(({ cycle, summary }) => [cycle, summary])).toEqual([
    [2, 'cycle 2'],
    [1, 'cycle 1'],
  ]);
  const to = first[1]?.plannedAt ?? '';
  expect((await listCycles(database.db, { ...ask, to })).map(({ cycle }) => cycle)).toEqual([3, 2, 1]);
});
