import { drillCanary } from '../../../db/drill-canary';
import { liveDispatches, readLastDrills, recordDrill, type DrillRow } from '../../../db/drill-reports';
import { createTestDatabase, type TestDatabase } from '../../support/servers';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const row = (runId: string, verdict: 'passed' | 'failed', finishedAt: string, gapMs: number): DrillRow => ({
  ...{ runId, drill: 'postgres-failover', scenario: 'crash', startedAt: '2026-11-01T10:00:00Z', finishedAt, verdict },
  canary: { writes: { gapMs } },
});

describe('reports of drills', () => {
  it('show the newest of each drill, and when one has passed last', async () => {
    expect(await readLastDrills(database.db)).toEqual([]);
    await recordDrill(database.db, row('00000000-0000-4000-8000-000000000001', 'passed', '2026-11-01T10:01:00Z', 900));
    await recordDrill(
      database.db,
      row('00000000-0000-4000-8000-000000000002', 'failed', '2026-11-02T10:01:00Z', 6_200),
    );
    expect(await readLastDrills(database.db)).toEqual([
      {
        drill: 'postgres-failover',
        passed: false,
        gapSeconds: 6.2,
        finishedAt: Date.parse('2026-11-02T10:01:00Z') / 1000,
        passedAt: Date.parse('2026-11-01T10:01:00Z') / 1000,
      },
    ]);
  });

  it('are kept once, and cannot be changed by the application', async () => {
    await recordDrill(database.db, row('00000000-0000-4000-8000-000000000002', 'passed', '2026-11-03T10:01:00Z', 1));
    expect((await readLastDrills(database.db))[0]).toMatchObject({ passed: false, gapSeconds: 6.2 });
    await expect(database.db.query('delete from drill_reports')).rejects.toMatchObject({ code: '42501' });
  });
});

describe('the rows of a canary', () => {
  const canary = () => drillCanary(database.db, '00000000-0000-4000-8000-00000000000a');

  it('are written once each, looked up, and taken away', async () => {
    for (const seq of [1, 2, 2, 3, 5]) await canary().write(seq);
    expect(await canary().newest()).toBe(5);
    expect(await canary().missing([1, 2, 3, 4, 5, 6])).toEqual([4, 6]);
    await canary().remove();
    expect(await canary().newest()).toBe(0);
  });
});

describe('dispatches that a drill would disturb', () => {
  it('are those that are active or begin soon', async () => {
    expect(await liveDispatches(database.db, 600)).toEqual([]);
    await database.db.query(
      `insert into feeders (feeder_id, root_id, import_limit_kw, export_limit_kw, origin) values ('f', 'f', 100, 100, 'registry')`,
    );
    const insert = (id: string, state: string, beginsInMinutes: number): Promise<unknown> =>
      database.db.query(
        `insert into dispatches (dispatch_id, feeder_id, starts_at, begins_at, ends_at, import_limit_kw, primacy, reason, state,
                                 requested_by, request_digest)
         select $1, 'f', at, at, at + interval '1 hour', 50, 1, 'test', $2, 'op', 'd'
           from (select now() + make_interval(mins => $3) as at) as t`,
        [`00000000-0000-4000-8000-0000000000${id}`, state, beginsInMinutes],
      );
    await insert('b1', 'active', -5);
    await insert('b2', 'scheduled', 5);
    await insert('b3', 'scheduled', 60);
    await insert('b4', 'completed', -90);
    expect((await liveDispatches(database.db, 600)).map((id) => id.slice(-2))).toEqual(['b1', 'b2']);
  });
});
