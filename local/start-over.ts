import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { removeDataFolder } from '../servers/postgres-data';

/** What `--fresh` keeps: where the tools are, tools without another home, and the lock that we hold. */
const KEPT = [/^toolchain\.json$/, /^cache$/, /\.lock$/];

/** Deletes the data, logs and passwords of the local stack. Nothing of it may be running. */
export function startOver(localFolder: string): void {
  removeDataFolder(join(localFolder, 'postgres'));
  for (const name of existsSync(localFolder) ? readdirSync(localFolder) : []) {
    if (KEPT.some((kept) => kept.test(name))) continue;
    rmSync(join(localFolder, name), { recursive: true, force: true });
  }
}
