import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ORPHANS_GONE_WITHIN_MS = 5_000;

/**
 * Removes the `postmaster.pid` of a server that was killed, when no process of its cluster is left.
 *
 * Postgres refuses to start when a process with the pid in that file exists, and believes it of a zombie that nobody
 * reaps (usual in containers) or of a stranger who got the pid after a reboot. Only where /proc tells who works in the
 * folder; elsewhere, and when somebody does, the file stays and Postgres has the last word.
 */
export async function removeStaleLock(dataDir: string): Promise<void> {
  const lock = join(dataDir, 'postmaster.pid');
  if (process.platform !== 'linux' || !existsSync(lock)) return;
  const deadline = performance.now() + ORPHANS_GONE_WITHIN_MS;
  // Backends notice the death of their postmaster and end by themselves.
  while (anybodyWorksIn(dataDir)) {
    if (performance.now() > deadline) return;
    await sleep(50);
  }
  rmSync(lock, { force: true });
}

/** Each process of a cluster has the data folder as its working folder; a zombie has none. */
function anybodyWorksIn(dataDir: string): boolean {
  return readdirSync('/proc').some((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return (
        readlinkSync(`/proc/${pid}/cwd`) === dataDir && readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('postgres')
      );
    } catch {
      return false; // ended meanwhile, or another user's
    }
  });
}
