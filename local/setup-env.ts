import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { composeCertificates, readComposeAuthority } from './compose-certificates';
import { composeSecrets, dotEnv } from './compose-secrets';
import { repositoryRoot } from './toolchain';

/**
 * `npm run setup:env`: what docker-compose.yml needs and nobody may know beforehand. `.env` gets drawn passwords and keys,
 * `deploy/compose/keys/` certificates of an authority that is made with them. What is there is never written over; with
 * `--renew-certificates` the same authority issues new ones.
 */
async function main(argv: readonly string[]): Promise<void> {
  const root = repositoryRoot();
  const env = join(root, '.env');
  const keys = join(root, 'deploy', 'compose', 'keys');
  const renew = argv.includes('--renew-certificates');
  const unknown = argv.filter((argument) => argument !== '--renew-certificates');
  if (unknown.length > 0) throw new Refusal(`${unknown.join(' ')} is not known; there is only --renew-certificates`);
  if (renew) {
    composeCertificates(keys, readComposeAuthority(keys));
    say(`${keys}: certificates issued anew. Then: docker compose up --detach --force-recreate`);
    return;
  }
  const there = [env, keys].filter(existsSync);
  if (there.length > 0)
    throw new Refusal(
      `${there.join(' and ')} is there already and is not written over: the databases that were made with those passwords would be lost. Remove it by hand to begin anew (and the volumes: docker compose down --volumes)`,
    );
  const secrets = await composeSecrets(new Date());
  mkdirSync(keys, { mode: 0o700 });
  try {
    composeCertificates(keys, null);
    writeFileSync(join(keys, 'passwords'), secrets.brokerPasswordFile, { mode: 0o600 });
    writeFileSync(join(keys, 'secrets-dates.json'), `${JSON.stringify(secrets.dates)}\n`);
    writeFileSync(env, dotEnv(secrets.environment), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    rmSync(keys, { recursive: true });
    throw error;
  }
  say(`${env}: ${String(Object.keys(secrets.environment).length)} settings, readable by you only`);
  say(`${keys}: certificates for 365 days, their authority for ten years`);
  say('Keep a copy of BACKUP_ENCRYPTION_KEYS elsewhere: without it no backup can be read.');
  say('Next: docker compose up --detach, then sign in at http://127.0.0.1:8080 as DERMS_USER.');
}

/** Told without a stack: whoever typed the command can mend it. */
class Refusal extends Error {}

const say = (text: string): boolean => process.stdout.write(`${text}\n`);

main(process.argv.slice(2)).catch((error: unknown) => {
  const text = error instanceof Refusal ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`${text ?? ''}\n`);
  process.exitCode = 1;
});
