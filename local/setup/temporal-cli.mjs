import { homedir } from 'node:os';
import { join } from 'node:path';
import { findIn, isExecutable, pathFolders, systemFolders } from './find-program.mjs';
import { findGo } from './go-install.mjs';
import { cacheDir } from './paths.mjs';
import { run } from './run.mjs';
import { buildTemporal } from './temporal-go-build.mjs';
import { archiveUrl, downloadTemporal } from './temporal-download.mjs';

/** One version for every way to get it: its server is the one that our tests and figures are about. */
export const TEMPORAL_VERSION = '1.5.1';
// What `go install` builds calls itself 0.0.0-DEV; its server and UI tell it apart from other releases.
const SAME_BUILD = /0\.0\.0-DEV \(Server 1\.29\.1, UI 2\.42\.1\)/;

/** The Temporal CLI: development server and UI in one program. */
export const temporalCli = {
  name: 'Temporal CLI',
  key: 'temporal',
  async find() {
    const chosen = process.env.TEMPORAL_CLI_PATH;
    if (chosen) return foundAt(chosen, 'TEMPORAL_CLI_PATH', { anyVersion: true });
    const onPath = findIn([...pathFolders(), ...systemFolders(), join(homedir(), 'go', 'bin')], 'temporal');
    return (onPath && (await foundAt(onPath, onPath))) ?? (await foundAt(cachedPath(), 'our cache'));
  },
  /** Downloads the release; where that is not to be had, builds it with Go. */
  async install(say) {
    if (process.env.TEMPORAL_CLI_PATH) {
      throw new Error(`TEMPORAL_CLI_PATH=${process.env.TEMPORAL_CLI_PATH} is not a Temporal CLI that runs here`);
    }
    try {
      return await downloadTemporal(TEMPORAL_VERSION, cachedPath(), say);
    } catch (downloadError) {
      if (!findGo()) throw downloadError;
      say('download not possible, building it with Go');
      return buildTemporal(TEMPORAL_VERSION, cachedPath(), say).catch((buildError) => {
        throw new Error(`${downloadError.message}\n${buildError.message}`);
      });
    }
  },
  help: () => [
    `download ${archiveUrl(TEMPORAL_VERSION)}, unpack it, and set TEMPORAL_CLI_PATH to the program`,
    `or install Go 1.25 or newer, and run this again: the program is then built from source (some minutes, once)`,
  ],
};

/** The version is part of the path, so that a new pin never runs an old program. */
export function cachedPath() {
  return join(cacheDir, 'temporal-cli', TEMPORAL_VERSION, 'temporal');
}

async function foundAt(path, from, { anyVersion = false } = {}) {
  if (!isExecutable(path)) return undefined;
  const { stdout } = await run(path, ['--version'], { timeoutMs: 10_000 });
  const version = /temporal version (\S+)/.exec(stdout)?.[1];
  const fits = version === TEMPORAL_VERSION || SAME_BUILD.test(stdout);
  if (!version || !(fits || anyVersion)) return undefined;
  const told = fits ? TEMPORAL_VERSION : `${version} (pinned: ${TEMPORAL_VERSION})`;
  return { version: told, from, entry: { path, version: fits ? TEMPORAL_VERSION : version } };
}
