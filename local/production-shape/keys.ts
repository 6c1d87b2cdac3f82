import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'dotenv';
import { unprivilegedUser } from '../../servers/os-user';
import type { Environment } from '../environments';
import { repositoryRoot } from '../toolchain';
import type { Ground } from './ground';

/** `npm run setup:env` for this run alone: `.env` and `keys/` in its folder. Returns what `.env` says. */
export async function drawSecrets(folder: string): Promise<Environment> {
  const script = join(repositoryRoot(), 'dist/local/setup-env.js');
  await promisify(execFile)(process.execPath, [script, '--folder', folder]);
  return parse(readFileSync(join(folder, '.env')));
}

/**
 * What the service `keys` does, by its own script: each key goes to where one service alone reads it. Here services run as
 * us, but for PostgreSQL where we are root, instead of as the users of their images.
 */
export async function handOutKeys(ground: Ground): Promise<void> {
  const { entrypoint = [], volumes = [] } = ground.service('keys');
  for (const volume of volumes.map((each) => each.split(':')[1] ?? '').filter((path) => path.startsWith('/out/')))
    mkdirSync(join(ground.folder, volume), { recursive: true });
  const script = readFileSync(ground.path('keys', entrypoint.at(-1) ?? ''), 'utf8');
  const our = String(process.getuid?.() ?? 0);
  const postgres = String(unprivilegedUser('postgres')?.uid ?? our);
  const here = ground
    .withPaths('keys', script)
    .replaceAll(/(^|[\s"])\/out\//gm, `$1${join(ground.folder, 'out')}/`)
    .replaceAll(/ -g ("\$1"|\d+)/g, '')
    .replaceAll(/\b999\b/g, postgres)
    .replaceAll(/\b(1883|1000|10001|65534)\b/g, our)
    .replaceAll(/chown (\d+):\d+/g, 'chown $1');
  await promisify(execFile)('/bin/sh', ['-c', here], { env: { PATH: process.env['PATH'] } });
  // PostgreSQL and PgBouncer run as another user where we are root, and look for their own below it.
  for (const path of [ground.folder, join(ground.folder, 'out')]) chmodSync(path, 0o711);
}
