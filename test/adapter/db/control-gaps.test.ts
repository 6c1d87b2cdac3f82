import { randomUUID } from 'node:crypto';
import { controlGaps, isCycleStored, newestCycles, stuckSetpoints } from '../../../db/control-gaps';
import { addEv, addFeeder } from '../../support/fleet-rows';
import { createTestDatabase, type TestDatabase } from '../../support/servers';

const CHAIN = randomUUID();
let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
  await addFeeder(database.db, 'north');
});
afterEach(() => database.drop());

/** Cycles so many seconds ago, each at its tick, with what it counted as missed. */
async function cycles(...rows: readonly (readonly [agoSeconds: number, missedTicks: number])[]): Promise<void> {
  for (const [index, [ago, missed]] of rows.entries())
    await database.db.query(
      `insert into control_cycles (root_feeder_id, chain_id, cycle, planned_at, plan_id, tick_at, missed_ticks, mode,
                                   interval_seconds, changes, renewals, infeasible, summary, nodes)
       values ('north', $1, $2, now() - make_interval(secs => $3), gen_random_uuid(), now() - make_interval(secs => $3), $4,
               'automatic', 10, 0, 0, false, '', '[]')`,
      [CHAIN, index + 1, ago, missed],
    );
}
const secondsAgo = (seconds: number): number => Date.now() - seconds * 1_000;

describe('the gaps of a loop', () => {
  it('are the times between its stored cycles; the cycle before the moment is where the first begins', async () => {
    await cycles([52, 0], [42, 0], [15, 2], [5, 0]);
    const [north] = await controlGaps(database.db, secondsAgo(30));
    expect(north).toMatchObject({ rootFeederId: 'north', intervalSeconds: 10, servedTicks: 2, missedTicks: 2 });
    expect(north?.longestGapSeconds).toBeCloseTo(27, 0);
    expect(north?.uncountedTicks).toBe(0);
  });

  it('go on to this moment when it plans no more', async () => {
    await cycles([75, 0], [65, 0], [55, 0]);
    expect((await controlGaps(database.db, secondsAgo(70)))[0]?.longestGapSeconds).toBeGreaterThanOrEqual(55);
  });

  it('show ticks that are neither served nor counted', async () => {
    await cycles([52, 0], [42, 0], [12, 1], [2, 0]);
    expect((await controlGaps(database.db, secondsAgo(45)))[0]).toMatchObject({ missedTicks: 1, uncountedTicks: 1 });
  });
});

it('the newest cycles are those of enabled roots, those that have none among them', async () => {
  await addFeeder(database.db, 'south');
  await addFeeder(database.db, 'below', { parentId: 'north', rootId: 'north' });
  await database.db.query(`update feeders set enabled = false where feeder_id = 'south'`);
  expect(await newestCycles(database.db)).toMatchObject([{ rootFeederId: 'north', intervalSeconds: 10, cycle: null }]);
  await cycles([5, 0]);
  const first = { rootFeederId: 'north', chainId: CHAIN, cycle: 1 };
  expect(await isCycleStored(database.db, first)).toBe(true);
  expect(await isCycleStored(database.db, { ...first, cycle: 2 })).toBe(false);
});

it('setpoints are stuck when no cycle of two intervals has brought them to the broker', async () => {
  await cycles([25, 0], [15, 0]);
  for (const [device, cycle] of [
    ['stuck', 1],
    ['fresh', 2],
  ] as const) {
    await addEv(database.db, device, 'north');
    await database.db.query(
      `insert into device_control (device_key, pending_plan_id, pending_valid_until)
       select device_key, plan_id, now() + interval '60 s' from devices, control_cycles where device_id = $1 and cycle = $2`,
      [device, cycle],
    );
  }
  expect(await stuckSetpoints(database.db)).toEqual(['stuck']);
});
