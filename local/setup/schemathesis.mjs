import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findIn, isExecutable, pathFolders, systemFolders } from './find-program.mjs';
import { cacheDir } from './paths.mjs';
import { run, tail } from './run.mjs';
import { installPackages, packageHelp } from './system-packages.mjs';

/** Everything that is installed, each at one version: another one may try other requests. */
const REQUIREMENTS = fileURLToPath(new URL('schemathesis.txt', import.meta.url));
const VERSION = /^schemathesis==(.+)$/m.exec(readFileSync(REQUIREMENTS, 'utf8'))[1];
/** Python without `venv` is what Debian installs. */
const packages = { debian: ['python3-venv'], brew: ['python'] };
const OLDEST_PYTHON = 10;

/** Makes up requests from the OpenAPI document and holds the answers against it. */
export const schemathesis = {
  name: 'Schemathesis',
  key: 'schemathesis',
  async find() {
    const chosen = process.env.SCHEMATHESIS_PATH;
    if (chosen) return foundAt(chosen, 'SCHEMATHESIS_PATH', { anyVersion: true });
    const onPath = findIn([...pathFolders(), ...systemFolders()], 'schemathesis');
    return (onPath && (await foundAt(onPath, onPath))) ?? (await foundAt(cachedPath(), 'our cache'));
  },
  async install(say) {
    if (process.env.SCHEMATHESIS_PATH) {
      throw new Error(`SCHEMATHESIS_PATH=${process.env.SCHEMATHESIS_PATH} is not a Schemathesis that runs here`);
    }
    const python = (await pythonWithVenv()) ?? (await installedPython(say));
    await makeFolder(python, say);
    return `PyPI, into ${folder()}`;
  },
  help: () => [
    ...packageHelp(packages, 'Python 3.10 or newer with its module venv'),
    `or install schemathesis==${VERSION} by hand, and set SCHEMATHESIS_PATH to the program`,
  ],
};

/** The version is part of the path, so that a new pin never runs an old program. */
const folder = () => join(cacheDir, 'schemathesis', VERSION);
const cachedPath = () => join(folder(), 'bin', 'schemathesis');

async function installedPython(say) {
  await installPackages('python3-venv', packages, say);
  const python = await pythonWithVenv();
  if (!python) throw new Error('there is no Python 3.10 or newer that can make a virtual environment');
  return python;
}

/** Half an environment is worse than none: it would be found and not run. */
async function makeFolder(python, say) {
  rmSync(folder(), { recursive: true, force: true });
  mkdirSync(dirname(folder()), { recursive: true });
  try {
    say('making a Python environment');
    await orThrow(python, ['-m', 'venv', folder()]);
    say('pip install: about 40 packages');
    const pip = [join(folder(), 'bin', 'pip'), 'install', '--quiet', '--disable-pip-version-check', '-r', REQUIREMENTS];
    await orThrow(join(folder(), 'bin', 'python'), pip);
  } catch (error) {
    rmSync(folder(), { recursive: true, force: true });
    throw error;
  }
}

async function orThrow(program, args) {
  const { status, output } = await run(program, args);
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed:\n${tail(output)}`);
}

async function pythonWithVenv() {
  for (const path of new Set([findIn(pathFolders(), 'python3'), '/usr/bin/python3'])) {
    if (!path || !existsSync(path)) continue;
    const asked = 'import sys, venv, ensurepip; print(sys.version_info.minor)';
    const { status, stdout } = await run(path, ['-c', asked], { timeoutMs: 10_000 });
    if (status === 0 && Number(stdout) >= OLDEST_PYTHON) return path;
  }
  return undefined;
}

async function foundAt(path, from, { anyVersion = false } = {}) {
  if (!isExecutable(path)) return undefined;
  const { output } = await run(path, ['--version'], { timeoutMs: 30_000 });
  const version = /Schemathesis,? (?:version )?v?(\d\S*)/i.exec(output)?.[1];
  if (!version || !(version === VERSION || anyVersion)) return undefined;
  const told = version === VERSION ? VERSION : `${version} (pinned: ${VERSION})`;
  return { version: told, from, entry: { path, version } };
}
