import { accessSync, constants, readdirSync, realpathSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

/** Homebrew's folder on Apple silicon, on Intel, and on Linux. */
export const brewPrefixes = ['/opt/homebrew', '/usr/local', '/home/linuxbrew/.linuxbrew'];

/** The folders of PATH, without relative ones and npm's own `node_modules/.bin`. */
export function pathFolders() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return unique(folders.filter((folder) => folder.startsWith('/') && !folder.endsWith('node_modules/.bin')));
}

/** Where programs lie that are not on every user's PATH: daemons, and what Homebrew keeps to itself. */
export function systemFolders() {
  const brew = brewPrefixes.flatMap((prefix) => [join(prefix, 'bin'), join(prefix, 'sbin')]);
  return unique(['/usr/bin', '/usr/sbin', '/usr/local/sbin', ...brew]);
}

/** The first folder that holds the program as an executable file; the path's own name, not what a link points to. */
export function findIn(folders, program) {
  return folders.map((folder) => join(folder, program)).find(isExecutable);
}

export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Sub-folders whose name matches, highest number first: `/usr/lib/postgresql/17`, `…/16`, …; none when absent. */
export function numberedFolders(parent, pattern) {
  try {
    const names = readdirSync(parent).filter((name) => pattern.test(name));
    return names.sort((a, b) => numberIn(b) - numberIn(a)).map((name) => join(parent, name));
  } catch {
    return [];
  }
}

/** The folder in which a program really lies, after links. */
export function realFolder(path) {
  try {
    return dirname(realpathSync(path));
  } catch {
    return undefined;
  }
}

export function unique(values) {
  return [...new Set(values)];
}

function numberIn(name) {
  return Number(/\d+/.exec(name)?.[0] ?? 0);
}
