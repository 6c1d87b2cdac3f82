import { readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { processesWithArgument, signalProcess, startTimeOf } from '../../servers/process-tree';

/**
 * Scratch folders carry whose they are: host, process and its start time. A process that was killed leaves its folder
 * and, since children have sessions of their own, the broker in it; the next run ends and removes both.
 */
const PREFIX = 'derms-scratch-broker';
/** Of other hosts (a shared folder) nothing is known but the age: a proof takes minutes, ms. */
const FOREIGN_AFTER_MS = 24 * 3_600_000;

const plain = (text: string): string => text.replaceAll(/[^A-Za-z0-9-]/g, '_');

/** Beginning of the name of a folder of this process. */
export function scratchName(): string {
  return `${PREFIX}.${plain(hostname())}.${process.pid}.${plain(startTimeOf(process.pid) ?? '')}.`;
}

/** Ends and removes what processes that are gone have left below `root`; returns the folders' names. */
export async function removeLeftScratch(root: string): Promise<string[]> {
  const left: string[] = [];
  for (const name of await readdir(root)) {
    if (!name.startsWith(`${PREFIX}.`) || (await isInUse(root, name))) continue;
    const folder = join(root, name);
    for (const pid of processesWithArgument(join(folder, 'mosquitto.conf'))) signalProcess(pid, 'SIGKILL');
    await rm(folder, { recursive: true, force: true });
    left.push(name);
  }
  return left;
}

async function isInUse(root: string, name: string): Promise<boolean> {
  const [, host, pid, startedAt] = name.split('.');
  if (host === plain(hostname())) return plain(startTimeOf(Number(pid)) ?? '') === startedAt && startedAt !== '';
  const found = await stat(join(root, name)).catch(() => null);
  return found !== null && Date.now() - found.mtimeMs < FOREIGN_AFTER_MS;
}
