import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readDeletions } from '../../../backups/deletions/ledger';
import type { BackupVault } from '../../../backups/vault';
import { Registry } from '../../../observability/metrics';
import { createDirectoryStorage } from '../../../storage/directory';
import { addFeeder } from '../../support/fleet-rows';
import { keyRing } from '../../support/keys';
import { createTestDatabase, eventually, testLog, type TestDatabase } from '../../support/servers';
import { keepStoringDeletions } from '../../../worker/deletion-teller';

let database: TestDatabase;
let folder: string;
beforeEach(async () => {
  database = await createTestDatabase();
  folder = mkdtempSync(join(tmpdir(), 'derms-teller-'));
});
afterEach(async () => {
  await database.drop();
  rmSync(folder, { recursive: true });
});

const GAUGE = 'derms_deletions_not_stored';
const removeFeeder = async (feederId: string): Promise<void> => {
  await addFeeder(database.db, feederId);
  await database.db.query('delete from feeders where feeder_id = $1', [feederId]);
};

it('what was deleted is in storage as soon as the role runs, and once', async () => {
  const vault = { storage: createDirectoryStorage(folder), keyRing: keyRing('k1') };
  await removeFeeder('north');
  for (let turn = 0; turn < 2; turn += 1) {
    const registry = new Registry();
    const teller = keepStoringDeletions(database.db, vault, { log: testLog, registry });
    await teller.stop();
    expect(await registry.metrics()).toContain(`${GAUGE} 0\n`);
  }
  const { deletions } = await readDeletions(vault, new Date(0));
  expect(deletions).toEqual([{ kind: 'feeder', subject: 'north', deletedAt: expect.stringMatching(/\.\d{6}Z$/) }]);
});

it('what storage does not take is counted, and warned of', async () => {
  const away = {
    storage: { put: () => Promise.reject(new Error('the bucket is away')) },
    keyRing: keyRing('k1'),
  } as unknown as BackupVault;
  await removeFeeder('north');
  await removeFeeder('south');
  const registry = new Registry();
  const teller = keepStoringDeletions(database.db, away, { log: testLog, registry });
  await eventually(async () => expect(await registry.metrics()).toContain(`${GAUGE} 2\n`));
  await teller.stop();
});
