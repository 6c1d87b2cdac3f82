import { execFile } from 'node:child_process';
import { existsSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readPreviousRelease, unpack, type PreviousRelease } from '../../../local/release/previous-release';
import { localFolder, repositoryRoot } from '../../../local/toolchain';

export interface PreviousBuild {
  readonly release: PreviousRelease;
  /** Its programs, as its own build has made them; they run with the packages of this checkout. */
  readonly dist: string;
}

/** Kept in `.local` by its commit: the second run of a machine finds it built. */
export async function previousBuild(): Promise<PreviousBuild> {
  const release = readPreviousRelease();
  const folder = join(localFolder(), 'previous-release', release.commit.slice(0, 12));
  const dist = join(folder, 'dist');
  if (!existsSync(join(dist, '.build-stamp'))) {
    rmSync(folder, { recursive: true, force: true });
    unpack(release, folder);
    symlinkSync(join(repositoryRoot(), 'node_modules'), join(folder, 'node_modules'));
    await promisify(execFile)(process.execPath, ['local/build.mjs'], { cwd: folder });
  }
  return { release, dist };
}
