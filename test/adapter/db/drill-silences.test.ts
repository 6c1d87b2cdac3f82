import { randomUUID } from 'node:crypto';
import { readDrillSilences } from '../../../db/drill-silences';
import { createTestDatabase, type TestDatabase } from '../../support/servers';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const STARTED = '2026-05-01T10:00:00Z';
const run = (jobName: string, state: 'running' | 'succeeded') =>
  database.db.query(
    `insert into job_runs (run_id, job_name, workflow_id, origin, requested_by, input, state, started_at, finished_at)
     values ($1::uuid, $2, $1::text, 'api', 'olga', '{}', $3::text, $4::timestamptz, case when $3::text = 'running' then null else now() end)`,
    [randomUUID(), jobName, state, STARTED],
  );

it('a drill under way has leave for as long as it may take, from its start', async () => {
  await run('postgres-failover-drill', 'running');
  expect(await readDrillSilences(database.db)).toEqual([
    { jobName: 'postgres-failover-drill', until: Date.parse(STARTED) / 1000 + 210 },
  ]);
});

it('a drill that is over, and a job that is no drill of a part, have none', async () => {
  await run('mqtt-failover-drill', 'succeeded');
  await run('restore-drill', 'running');
  expect(await readDrillSilences(database.db)).toEqual([]);
});
