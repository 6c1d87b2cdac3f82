import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { composeCertificates, readComposeAuthority } from './compose-certificates';
import { composeSecrets, dotEnv } from './compose-secrets';
import { repositoryRoot } from './toolchain';

/**
 * `npm run setup:env`: what docker-compose.yml needs and nobody may know beforehand. `.env` gets drawn passwords and keys,
 * `deploy/compose/keys/` certificates of an authority that is made with them. What is there is never written over; with
 * `--renew-certificates` the same authority issues new ones. `--folder FOLDER` makes both there, as `.env` and `keys/`, for a
 * stack that is thrown away.
 */
async function main(argv: readonly string[]): Promise<void> {
  const { folder, renew } = optionsOf(argv);
  const root = folder === undefined ? repositoryRoot() : resolve(folder);
  const env = join(root, '.env');
  const keys = folder === undefined ? join(root, 'deploy', 'compose', 'keys') : join(root, 'keys');
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

function optionsOf(argv: readonly string[]): { readonly folder: string | undefined; readonly renew: boolean } {
  const options = { 'renew-certificates': { type: 'boolean', default: false }, folder: { type: 'string' } } as const;
  try {
    const { values } = parseArgs({ args: [...argv], options });
    return { folder: values.folder, renew: values['renew-certificates'] };
  } catch {
    throw new Refusal(`${argv.join(' ')} is not known; there are only --renew-certificates and --folder FOLDER`);
  }
}

/** Told without a stack: whoever typed the command can mend it. */
class Refusal extends Error {}

const say = (text: string): boolean => process.stdout.write(`${text}\n`);

main(process.argv.slice(2)).catch((error: unknown) => {
  const text = error instanceof Refusal ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`${text ?? ''}\n`);
  process.exitCode = 1;
});
