import type { TestSystem } from '../../local/test-system';
import { eventually } from '../support/servers';
import { apiAs, metric, sleep, startDemo } from './support';

const MINUTE_MS = 60_000;
let system: TestSystem;

beforeAll(async () => {
  system = await startDemo();
}, 60_000);
afterAll(async () => {
  await system.stop();
}, 30_000);

it('takes a verified backup in a minute when asked to, and restores it in one more', async () => {
  const operator = await apiAs(system, 'operator');
  const run = async (jobName: string, input: object): Promise<Record<string, unknown>> => {
    const began = performance.now();
    let { body } = await operator('POST', `/api/jobs/${jobName}/runs`, input, { prefer: 'wait=5' });
    while (body['finishedAt'] === null && performance.now() - began < MINUTE_MS) {
      await sleep(250);
      ({ body } = await operator('GET', `/api/runs/${String(body['runId'])}`));
    }
    expect(performance.now() - began).toBeLessThanOrEqual(MINUTE_MS);
    return body;
  };

  const backup = await run('db-backup', {});
  expect(backup).toMatchObject({ state: 'succeeded', result: { verification: { verdict: 'passed' } } });
  const { backupId } = backup['result'] as { backupId: string };
  const listed = await operator('GET', '/api/backups?kind=dump&state=verified');
  expect(listed.body['items']).toEqual([
    expect.objectContaining({ backupId, runId: backup['runId'], lastVerdict: 'passed', deletedAt: null }),
  ]);

  const page = `${system.apiUrl}/metrics`;
  await eventually(async () => {
    expect(await metric(page, 'derms_job_freshness_seconds', { job: 'db-backup' })).toBeLessThan(60);
    const takenAt = await metric(page, 'derms_backup_last_verified_timestamp_seconds', { kind: 'dump' });
    expect(Date.now() / 1000 - takenAt!).toBeLessThan(120);
  }, 30_000);

  const drill = await run('restore-drill', { backupId });
  expect(drill).toMatchObject({ state: 'succeeded' });
  const restored = await operator('GET', `/api/backups/${backupId}`);
  expect(restored.body['restoredAt']).not.toBeNull();
}, 180_000);
