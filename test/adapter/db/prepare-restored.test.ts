import { Client } from 'pg';
import { prepareRestored } from '../../../db/prepare-restored';
import { readRevokedMoments } from '../../../db/token-revocations';
import { createTestDatabase, testServers, type TestDatabase } from '../../support/servers';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

it('a restored database takes no token of before, since it does not know what was revoked after the backup', async () => {
  const { host, port, adminUser: user, adminPassword: password, user: applicationRole } = testServers().postgres;
  const client = new Client({ host, port, user, password, database: database.name });
  await client.connect();
  const restored = {
    backupId: 'b-1',
    takenAt: '2026-05-01T01:00:00Z',
    by: 'ann',
    applicationPassword: null,
    deletions: [],
  };
  await prepareRestored(client, { ...restored, applicationRole });
  await client.end();
  const moments = await readRevokedMoments(database.db, 60);
  expect(moments).toEqual([{ user: null, issuedBeforeMs: expect.any(Number) }]);
  expect(Math.abs((moments[0]?.issuedBeforeMs ?? 0) - Date.now())).toBeLessThan(10_000);
});
