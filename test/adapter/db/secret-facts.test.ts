import { keepTellingSecrets } from '../../../db/keep-telling-secrets';
import type { Database } from '../../../db/pool';
import { forgetOldSecretFacts, readSecretFacts, tellSecretFacts } from '../../../db/secret-facts';
import type { SecretFact } from '../../../domain/secret-age';
import { secretsPort } from '../../../worker/secrets-port';
import { createTestDatabase, eventually, testLog, type TestDatabase } from '../../support/servers';

let database: TestDatabase;
let db: Database;
beforeEach(async () => {
  database = await createTestDatabase();
  ({ db } = database);
});
afterEach(async () => {
  await database.drop();
});

const password: SecretFact = {
  ...{ kind: 'secret', name: 'DB_PASSWORD', madeOn: '2026-03-01', expiresAtMs: null, fault: null },
};
const certificate: SecretFact = {
  ...{ kind: 'certificate', name: 'mqtt-ca', madeOn: null, expiresAtMs: 1_777_636_800_000, fault: null },
};
const unusable: SecretFact = { ...certificate, expiresAtMs: null, fault: 'ca.crt: cannot be read (ENOENT)' };

describe('what processes tell of their secrets', () => {
  it('is there by process, and what one tells next takes the place of what it told', async () => {
    await tellSecretFacts(db, 'api-0', [password, certificate]);
    await tellSecretFacts(db, 'jobs-0', [password]);
    await tellSecretFacts(db, 'api-0', [unusable]);

    expect(await readSecretFacts(db)).toEqual([
      { ...unusable, toldBy: 'api-0' },
      { ...password, toldBy: 'jobs-0' },
    ]);
  });

  it('is taken from several tries of one process at a time', async () => {
    await Promise.all(Array.from({ length: 8 }, () => tellSecretFacts(db, 'api-0', [password, certificate])));

    expect(await readSecretFacts(db)).toHaveLength(2);
  });

  it('keeps the moment a certificate runs out', async () => {
    await tellSecretFacts(db, 'api-0', [certificate]);

    expect(await readSecretFacts(db)).toEqual([{ ...certificate, toldBy: 'api-0' }]);
  });

  it('is not believed, and forgotten, when the process has been gone for two days', async () => {
    await tellSecretFacts(db, 'api-0', [password]);
    await tellSecretFacts(db, 'api-1', [password]);
    await db.query("update secret_facts set told_at = now() - interval '49 hours' where told_by = 'api-1'");

    expect((await readSecretFacts(db)).map(({ toldBy }) => toldBy)).toEqual(['api-0']);
    expect([await forgetOldSecretFacts(db), await forgetOldSecretFacts(db)]).toEqual([1, 0]);
  });

  it('is told at once and again when asked, and the check sees all of it', async () => {
    let facts = [password];
    const teller = keepTellingSecrets(db, { toldBy: 'jobs-0', facts: () => facts, log: testLog });
    try {
      await eventually(async () => expect(await readSecretFacts(db)).toHaveLength(1));
      await tellSecretFacts(db, 'api-0', [certificate]);
      facts = [{ ...password, name: 'JWT_SECRET' }];
      const { secrets, certificates } = await secretsPort(db, teller).check();

      expect(secrets.map(({ name, state }) => [name, state])).toEqual([
        ['AUTH_USERS', 'untold'],
        ['DB_PASSWORD', 'untold'],
        ['JWT_SECRET', expect.stringMatching(/ok|due|overdue/)],
      ]);
      expect(certificates).toMatchObject([{ name: 'mqtt-ca', toldBy: 'api-0' }]);
    } finally {
      await teller.stop();
    }
  });
});
