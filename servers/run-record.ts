import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { signalProcess, signalTree, startTimeOf } from './process-tree';

// What a run started, on disk: the next run can end what is left after this one was killed with SIGKILL. A process is
// named by pid and start time, so that a stranger who got the pid later is never touched.

interface RecordedProcess {
  readonly name: string;
  readonly pid: number;
  readonly startedAt: string;
}

interface Run {
  readonly owner: RecordedProcess;
  readonly processes: readonly RecordedProcess[];
}

/** Keeps the list of a run's processes in a file; the file is also the sign that the run goes on. */
export interface RunRecord {
  readonly add: (name: string, pid: number) => void;
  /** The run is over and left nothing. */
  readonly end: () => void;
}

/** Another process owns the run of this folder. */
export class RunningAlreadyError extends Error {
  override readonly name = 'RunningAlreadyError';
}

const GRACE_MS = 6_000;

/**
 * Begins a new list, owned by this process; the list of a run that is over is forgotten.
 *
 * @throws {RunningAlreadyError} when the run's owner lives, also when it got here a moment before us.
 */
export function beginRunRecord(file: string): RunRecord {
  const owner = identify('owner', process.pid);
  let processes: readonly RecordedProcess[] = [];
  setAside(file);
  try {
    writeFileSync(file, serialize({ owner, processes }), { flag: 'wx' });
  } catch (cause) {
    throw new RunningAlreadyError(`${file} was made by another process just now`, { cause });
  }
  return {
    add(name, pid) {
      processes = [...processes.filter(isAlive), identify(name, pid)];
      writeFileSync(`${file}.new`, serialize({ owner, processes }));
      renameSync(`${file}.new`, file);
    },
    end() {
      rmSync(file, { force: true });
    },
  };
}

/** The pid of the run that still goes on, or `undefined` when its owner is gone or there was none. */
export function ownerOfRun(file: string): number | undefined {
  const owner = read(file)?.owner;
  return owner && isAlive(owner) ? owner.pid : undefined;
}

/** Ends what a run left behind, newest first, and returns the names of those it found. */
export async function endLeftovers(file: string): Promise<string[]> {
  const left = (read(file)?.processes ?? []).filter(isAlive).toReversed();
  for (const { pid } of left) {
    signalProcess(pid, 'SIGINT'); // a fast stop for Postgres, a proper end for all others
    signalTree(pid, 'SIGCONT');
  }
  const deadline = performance.now() + GRACE_MS;
  while (left.some(isAlive) && performance.now() < deadline) await sleep(50);
  for (const { pid } of left.filter(isAlive)) signalTree(pid, 'SIGKILL');
  while (left.some(isAlive)) await sleep(20);
  return left.map(({ name }) => name);
}

/** Takes the file of a run that is over out of the way; one that is alive is put back. */
function setAside(file: string): void {
  if (!existsSync(file)) return;
  const aside = `${file}.${process.pid}`;
  renameSync(file, aside);
  const pid = ownerOfRun(aside);
  if (pid === undefined) {
    rmSync(aside);
    return;
  }
  renameSync(aside, file);
  throw new RunningAlreadyError(`process ${pid} owns ${file}`);
}

function identify(name: string, pid: number): RecordedProcess {
  return { name, pid, startedAt: startTimeOf(pid) ?? 'gone' };
}

function isAlive({ pid, startedAt }: RecordedProcess): boolean {
  return startTimeOf(pid) === startedAt;
}

function read(file: string): Run | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Run; // written by ourselves
  } catch {
    return undefined;
  }
}

function serialize(run: Run): string {
  return `${JSON.stringify(run, undefined, 2)}\n`;
}
