import { homedir } from 'node:os';
import { join } from 'node:path';
import { findIn, isExecutable, pathFolders, systemFolders } from './find-program.mjs';
import { findGo, goInstall } from './go-install.mjs';
import { cacheDir } from './paths.mjs';
import { run } from './run.mjs';

/** The version that the proofs are about: another one may implement more or less of S3. */
const VERSION = '1.8.0';

/** An S3 server over a folder, with versions and object lock: what the proofs store backups in. */
export const versitygw = {
  name: 'versitygw',
  key: 'versitygw',
  async find() {
    const chosen = process.env.VERSITYGW_PATH;
    if (chosen) return foundAt(chosen, 'VERSITYGW_PATH', { anyVersion: true });
    const onPath = findIn([...pathFolders(), ...systemFolders(), join(homedir(), 'go', 'bin')], 'versitygw');
    return (onPath && (await foundAt(onPath, onPath))) ?? (await foundAt(cachedPath(), 'our cache'));
  },
  async install(say) {
    if (process.env.VERSITYGW_PATH) {
      throw new Error(`VERSITYGW_PATH=${process.env.VERSITYGW_PATH} is not a versitygw that runs here`);
    }
    if (!findGo()) throw new Error('it is built with Go, and Go is not here');
    return goInstall({
      key: 'versitygw',
      module: `github.com/versity/versitygw/cmd/versitygw@v${VERSION}`,
      ldflags: `-s -w -X main.Version=v${VERSION}`,
      target: cachedPath(),
      packages: '600',
      say,
    });
  },
  help: () => [
    'install Go 1.25 or newer (https://go.dev/dl), and run this again: it is then built from source (two minutes, once)',
    `or download https://github.com/versity/versitygw/releases/tag/v${VERSION}, unpack it, and set VERSITYGW_PATH to the program`,
  ],
};

/** The version is part of the path, so that a new pin never runs an old program. */
function cachedPath() {
  return join(cacheDir, 'versitygw', VERSION, 'versitygw');
}

async function foundAt(path, from, { anyVersion = false } = {}) {
  if (!isExecutable(path)) return undefined;
  const { output } = await run(path, ['--version'], { timeoutMs: 10_000 });
  const version = /Version\s*:\s*v?(\S+)/.exec(output)?.[1];
  if (!version || !(version === VERSION || anyVersion)) return undefined;
  const told = version === VERSION ? VERSION : `${version} (pinned: ${VERSION})`;
  return { version: told, from, entry: { path, version } };
}
