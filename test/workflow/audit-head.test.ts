import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openBackupVault } from '../../backups/vault';
import { loadSomeSettings } from '../../config/load';
import { appendAudit } from '../../db/audit';
import { job as auditHead } from '../../jobs/audit-head';
import type { JobPorts } from '../../jobs/runner/ports';
import { STORAGE_SETTINGS } from '../../storage/location';
import { auditChainPort } from '../../worker/audit-chain-port';
import { connectAsOwner, disarm } from '../adapter/audit/owner';
import { createJobWorld, type JobWorld } from '../support/job-world';
import { keyEntry } from '../support/keys';
import { quietRuntime, workflowBundle } from '../support/runtime';

quietRuntime();

const folder = mkdtempSync(join(tmpdir(), 'derms-test-heads-'));
let world: JobWorld;
beforeAll(async () => {
  const settings = loadSomeSettings(
    [...STORAGE_SETTINGS, 'BACKUP_ENCRYPTION_KEYS'],
    { BACKUP_STORAGE: pathToFileURL(folder).href, BACKUP_ENCRYPTION_KEYS: keyEntry('k1') },
    'no.env',
  );
  const vault = await openBackupVault(settings);
  const ports = {
    now: () => new Date(),
    get auditChain() {
      return auditChainPort(vault, world.database.db);
    },
  } as unknown as JobPorts; // the job asks for nothing else
  world = await createJobWorld(await workflowBundle(), ports);
}, 120_000);
afterAll(async () => {
  await world.close();
  rmSync(folder, { recursive: true });
});

/** As the schedule would. */
const run = async (): Promise<{
  state: string;
  failure: { code: string; message: string } | null;
  result: unknown;
}> => {
  const runId = randomUUID();
  await world
    .withWorker([auditHead], () =>
      world.temporal.client.workflow.execute('job', {
        taskQueue: 'jobs',
        workflowId: `job/audit-head/${runId}`,
        args: [{ jobName: 'audit-head', runId, input: {} }],
      }),
    )
    .catch(() => undefined); // a run that fails rejects: its row says why
  return (await world.row(runId))!;
};
const write = (subject: string): Promise<void> =>
  appendAudit(
    world.database.db,
    { user: 'anna', role: 'admin', requestId: 'r', address: '192.0.2.7' },
    { action: 'feeder.change', subject, outcome: 'done', detail: {} },
  );

it('the nightly job stores the head and proves the chain; a tail that is cut afterwards, heads and all, is found by the next one', async () => {
  expect(await run()).toMatchObject({ state: 'skipped' }); // nothing was written yet
  for (const subject of ['a', 'b', 'c', 'd']) await write(subject);
  expect(await run()).toMatchObject({
    ...{ state: 'succeeded', failure: null },
    result: { entries: 4, end: { position: 4 }, storedUpTo: { position: 4 }, stored: { position: 4 } },
  });

  const owner = await connectAsOwner(world.database);
  await disarm(owner);
  await owner.query(`delete from audit_heads; delete from audit_chain where position > 2;
                     delete from audit_log where id not in (select entry_id from audit_chain)`);
  await owner.end();
  await write('as if nothing had happened');

  expect(await run()).toMatchObject({ state: 'failed', failure: { code: 'AUDIT_NOT_SOUND' } });
}, 120_000);
