import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../toolchain';

/** What this release is held against: its schema, its histories, its API, and its programs beside ours. */
export interface PreviousRelease {
  readonly version: string;
  readonly commit: string;
}

/** Moved by whoever begins the next version, to the commit that was released: CONTRIBUTING.md, "Releasing". */
const PREVIOUS_RELEASE_FILE = 'local/release/previous-release.json';

/** @throws {Error} when this clone's history does not reach back to it. */
export function readPreviousRelease(root = repositoryRoot()): PreviousRelease {
  const release = releaseOf(root);
  try {
    git(root, 'cat-file', '-e', `${release.commit}^{commit}`);
  } catch (cause) {
    throw new Error(
      `the previous release, commit ${release.commit}, is not in this clone: git fetch --unshallow, or clone with all history`,
      { cause },
    );
  }
  return release;
}

/** As it is written down, whether it is in this clone or not. */
export const releaseOf = (root: string): PreviousRelease =>
  JSON.parse(readFileSync(join(root, PREVIOUS_RELEASE_FILE), 'utf8')) as PreviousRelease; // ours, checked by a test

/** Files of a folder as the release had them, by name. */
export function filesOf({ commit }: PreviousRelease, folder: string, root = repositoryRoot()): Map<string, string> {
  const names = git(root, 'ls-tree', '--name-only', commit, `${folder}/`)
    .split('\n')
    .filter((name) => name !== '');
  return new Map(names.map((name) => [name.slice(folder.length + 1), git(root, 'show', `${commit}:${name}`)]));
}

/** Puts all its sources into a folder. */
export function unpack({ commit }: PreviousRelease, folder: string, root = repositoryRoot()): void {
  mkdirSync(folder, { recursive: true });
  const tar = execFileSync('git', ['archive', commit], { cwd: root, maxBuffer: 512 * 1024 * 1024 });
  execFileSync('tar', ['-x', '-C', folder], { input: tar });
}

export const git = (root: string, ...args: string[]): string =>
  execFileSync('git', args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
