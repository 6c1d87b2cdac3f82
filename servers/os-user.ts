import { spawnSync } from 'node:child_process';
import { toolEnvironment } from './tool';

/** An OS user by number. */
export interface OsUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * The user that a server runs as which must not be root: the one its package makes (`postgres`, `mosquitto`) where it
 * exists, else `nobody`. `undefined` when we are not root, and the server runs as we do.
 */
export function unprivilegedUser(preferred: string): OsUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const user = lookUp(preferred) ?? lookUp('nobody');
  if (!user) throw new Error(`we are root, and neither user ${preferred} nor nobody exists here to run a server as`);
  return user;
}

/** Whether a user can enter a folder: decided by trying, since modes of all parents and access lists have a say. */
export function canEnter(user: OsUser, folder: string): boolean {
  const { status } = spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], {
    uid: user.uid,
    gid: user.gid,
    env: toolEnvironment(),
    cwd: '/',
    stdio: 'ignore',
  });
  return status === 0;
}

function lookUp(name: string): OsUser | undefined {
  const uid = idOf('-u', name);
  const gid = idOf('-g', name);
  return uid === undefined || gid === undefined ? undefined : { name, uid, gid };
}

function idOf(option: string, name: string): number | undefined {
  const { status, stdout } = spawnSync('id', [option, name], { encoding: 'utf8', env: toolEnvironment() });
  return status === 0 ? Number(stdout.trim()) : undefined;
}
