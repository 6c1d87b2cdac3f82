import type { Database } from '../db/pool';
import type { SecretTeller } from '../db/keep-telling-secrets';
import { forgetOldSecretFacts, readSecretFacts } from '../db/secret-facts';
import { secretAges } from '../domain/secret-age';
import type { SecretsPort } from '../jobs/runner/ports';

/** Tells what this process knows now, then looks at what all of them have told. */
export const secretsPort = (db: Database, teller: Pick<SecretTeller, 'tellNow'>): SecretsPort => ({
  check: async () => {
    await teller.tellNow();
    const forgotten = await forgetOldSecretFacts(db);
    return { ...secretAges(await readSecretFacts(db), Date.now()), forgotten };
  },
});
