import { accessSync, constants, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of this checkout; may contain spaces. */
export const repoRoot = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
/** State of this checkout: toolchain, passwords, data and logs of the local stack. Never committed. */
export const localDir = join(repoRoot, '.local');
/** What `npm start` and the tests read to find the tools that the set-up found. */
export const toolchainFile = join(localDir, 'toolchain.json');
/** Tools that we downloaded or built, shared by every checkout of one OS user. */
export const cacheDir = process.env.DERMS_CACHE_DIR || writableHomeCache() || join(localDir, 'cache');

/** System accounts such as `nobody` have no home: their tools go into the checkout instead. */
function writableHomeCache() {
  try {
    accessSync(homedir(), constants.W_OK);
    const cache = join(homedir(), '.cache', 'derms');
    mkdirSync(cache, { recursive: true });
    accessSync(cache, constants.W_OK);
    return cache;
  } catch {
    return undefined;
  }
}
