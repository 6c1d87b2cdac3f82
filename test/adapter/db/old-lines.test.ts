import { removeRefused, removeRunLines } from '../../../db/old-lines';
import { createTestDatabase, type TestDatabase } from '../../support/servers';

const CUT = Date.parse('2026-01-01T00:00:00Z');
const GO_ON = new AbortController().signal;

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

it('log lines of runs go when they are old; what a run did stays', async () => {
  await database.db.query(
    `insert into job_runs (run_id, job_name, workflow_id, origin, requested_by, input, state)
     values ('00000000-0000-4000-8000-000000000001', 'example', 'w', 'api', 'anna', '{}', 'running')`,
  );
  await database.db.query(
    `insert into job_run_events (run_id, seq, at, kind, data)
     select run_id, n, timestamptz '2025-12-31T23:59:58Z' + make_interval(secs => n), (array['state', 'log', 'log'])[1 + n % 3], '{}'
       from job_runs, generate_series(0, 5) n`,
  );
  expect(await removeRunLines(database.db, CUT, GO_ON)).toBe(1);
  const { rows } = await database.db.query('select seq::int, kind from job_run_events order by seq');
  expect(rows).toEqual([
    { seq: 0, kind: 'state' },
    { seq: 2, kind: 'log' },
    { seq: 3, kind: 'state' },
    { seq: 4, kind: 'log' },
    { seq: 5, kind: 'log' },
  ]);
});

it('refused messages go in parts until none is old, and a stop in between is heard', async () => {
  await database.db.query(
    `insert into refused_telemetry (received_at, reason, detail, topic, payload)
     select timestamptz '2026-01-01T00:00:00Z' - make_interval(secs => n - 1), 'too-old', '', '', '' from generate_series(1, 12001) n`,
  );
  const stop = new AbortController();
  const stopping = { query: async (...given: [string, unknown[]?]) => (stop.abort(), database.db.query(...given)) };
  await expect(removeRefused(stopping as never, CUT, stop.signal)).rejects.toThrow();
  expect(await removeRefused(database.db, CUT, GO_ON)).toBe(2_000);
  const { rows } = await database.db.query('select count(*)::int from refused_telemetry');
  expect(rows).toEqual([{ count: 1 }]);
});
