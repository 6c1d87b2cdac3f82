import { aptInstall } from './apt-install.mjs';
import { extractDebianPackages } from './debian-extract.mjs';
import { brewPrefixes, findIn, pathFolders } from './find-program.mjs';
import { run, tail } from './run.mjs';

const isRoot = process.getuid?.() === 0;

/**
 * Installs a component in the one way that this machine and this OS user have; `sudo` is never called.
 * Returns how; throws with the reason when there is no way.
 */
export function installPackages(component, packages, say) {
  if (has('apt-get') && isRoot) return aptInstall(packages.debian, say);
  if (has('apt-get') && has('dpkg-deb')) return extractDebianPackages(component, packages.debian, say);
  if (brew() && !isRoot) return brewInstall(packages.brew, say);
  throw new Error('neither apt-get nor Homebrew is here');
}

/** What to type when we could not install it, for the platform that this is. */
export function packageHelp(packages, asks) {
  if (has('apt-get')) {
    const install = `apt-get install -y --no-install-recommends ${packages.debian.join(' ')}`;
    return [isRoot ? `apt-get update && ${install}` : `sudo ${install}`];
  }
  if (process.platform === 'darwin') {
    return brew()
      ? [`brew install ${packages.brew.join(' ')}`]
      : [`install Homebrew (https://brew.sh), then: brew install ${packages.brew.join(' ')}`];
  }
  return [`install ${asks} with this system's package manager, so that it is on PATH`];
}

async function brewInstall(names, say) {
  say(`brew install ${names.join(' ')}`);
  const env = { HOMEBREW_NO_AUTO_UPDATE: '1', HOMEBREW_NO_ENV_HINTS: '1' };
  const done = await run(brew(), ['install', ...names], { env });
  if (done.status !== 0) throw new Error(`brew install ${names.join(' ')} failed:\n${tail(done.output)}`);
  return 'brew install';
}

const has = (program) => findIn([...pathFolders(), '/usr/bin'], program) !== undefined;
const brew = () => findIn([...pathFolders(), ...brewPrefixes.map((prefix) => `${prefix}/bin`)], 'brew');
