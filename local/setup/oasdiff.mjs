import { homedir } from 'node:os';
import { join } from 'node:path';
import { findIn, isExecutable, pathFolders, systemFolders } from './find-program.mjs';
import { findGo, goInstall } from './go-install.mjs';
import { cacheDir } from './paths.mjs';
import { run } from './run.mjs';

/** Another version may hold other changes to be breaking. */
const VERSION = '1.37.0';

/** Tells which changes of the API would break its callers. */
export const oasdiff = {
  name: 'oasdiff',
  key: 'oasdiff',
  async find() {
    const chosen = process.env.OASDIFF_PATH;
    if (chosen) return foundAt(chosen, 'OASDIFF_PATH', { anyVersion: true });
    const onPath = findIn([...pathFolders(), ...systemFolders(), join(homedir(), 'go', 'bin')], 'oasdiff');
    return (onPath && (await foundAt(onPath, onPath))) ?? (await foundAt(cachedPath(), 'our cache'));
  },
  async install(say) {
    if (process.env.OASDIFF_PATH) {
      throw new Error(`OASDIFF_PATH=${process.env.OASDIFF_PATH} is not an oasdiff that runs here`);
    }
    if (!findGo()) throw new Error('it is built with Go, and Go is not here');
    return goInstall({
      key: 'oasdiff',
      module: `github.com/oasdiff/oasdiff@v${VERSION}`,
      ldflags: `-s -w -X github.com/oasdiff/oasdiff/build.Version=${VERSION}`,
      target: cachedPath(),
      packages: '320',
      say,
    });
  },
  help: () => [
    'install Go 1.24 or newer (https://go.dev/dl), and run this again: it is then built from source (a minute, once)',
    `or download https://github.com/oasdiff/oasdiff/releases/tag/v${VERSION}, unpack it, and set OASDIFF_PATH to the program`,
  ],
};

/** The version is part of the path, so that a new pin never runs an old program. */
function cachedPath() {
  return join(cacheDir, 'oasdiff', VERSION, 'oasdiff');
}

async function foundAt(path, from, { anyVersion = false } = {}) {
  if (!isExecutable(path)) return undefined;
  const { output } = await run(path, ['--version'], { timeoutMs: 10_000 });
  const version = /version\s+v?(\S+)/i.exec(output)?.[1];
  if (!version || !(version === VERSION || anyVersion)) return undefined;
  const told = version === VERSION ? VERSION : `${version} (pinned: ${VERSION})`;
  return { version: told, from, entry: { path, version } };
}
