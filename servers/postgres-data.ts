import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { canEnter, type OsUser } from './os-user';

/**
 * Makes the folder for a cluster and returns where it really is.
 *
 * As root, Postgres runs as another user, who may not be able to enter the checkout (`/root`, or a clone with mode
 * 700). Then the data lies in `/var/tmp/derms-<hash of the wanted path>/`, and the wanted path is a link to it.
 */
export function makeDataFolder(dataDir: string, user: OsUser | undefined): string {
  mkdirSync(dirname(dataDir), { recursive: true });
  if (!existsSync(dataDir)) {
    rmSync(dataDir, { force: true }); // a link whose target somebody cleaned away
    if (user && !canEnter(user, dirname(dataDir))) symlinkSync(makeFolderElsewhere(dataDir, user), dataDir);
    else mkdirSync(dataDir);
  }
  const real = realpathSync(dataDir);
  chmodSync(real, 0o700);
  if (user) {
    if (!canEnter(user, dirname(real))) {
      throw new Error(`${real} cannot be entered by ${user.name}, who runs PostgreSQL: start over with --fresh`);
    }
    chownSync(real, user.uid, user.gid);
  }
  return real;
}

/** Deletes a cluster, wherever it really is. The server must be stopped. */
export function removeDataFolder(dataDir: string): void {
  const entry = lstatSync(dataDir, { throwIfNoEntry: false });
  if (!entry) return;
  if (entry.isSymbolicLink() && existsSync(dataDir)) rmSync(dirname(realpathSync(dataDir)), { recursive: true });
  rmSync(dataDir, { recursive: true, force: true });
}

/** Major version of the cluster in a folder; `undefined` when there is none yet. */
export function clusterMajor(dataDir: string): number | undefined {
  const file = join(dataDir, 'PG_VERSION');
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined;
}

function makeFolderElsewhere(dataDir: string, user: OsUser): string {
  const digest = createHash('sha256').update(dataDir).digest('hex').slice(0, 12);
  const parent = `/var/tmp/derms-${digest}`;
  const known = lstatSync(parent, { throwIfNoEntry: false });
  // Everybody can make files in /var/tmp: one with our name that is not root's was put there by somebody else.
  if (known && (known.uid !== 0 || !known.isDirectory())) throw new Error(`${parent} is there and not ours: remove it`);
  const folder = join(parent, basename(dataDir));
  mkdirSync(folder, { recursive: true });
  chmodSync(parent, 0o711);
  chownSync(folder, user.uid, user.gid);
  return folder;
}
