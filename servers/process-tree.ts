import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { toolEnvironment } from './tool';

interface ProcessFacts {
  readonly pid: number;
  readonly parentPid: number;
  readonly state: string;
  /** When it started; with the pid it names one process for ever, also after the pid was given to another. */
  readonly startedAt: string;
}

/** Sends a signal to one process (0: none, just asks); false when it is gone or not ours. */
export function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/**
 * Sends a signal to a process and everything it started, the process first, so that it starts nothing meanwhile.
 * A process group would not do: each Postgres backend makes its own.
 */
export function signalTree(pid: number, signal: NodeJS.Signals): void {
  // Listed before a SIGKILL, since orphans lose their parent; listed after a SIGSTOP, which stops more from coming.
  const before = descendants(pid);
  signalProcess(pid, signal);
  const after = signal === 'SIGKILL' ? [] : descendants(pid);
  for (const child of new Set([...before, ...after])) signalProcess(child, signal);
}

/**
 * Ends what is left of a process that died: the children in its group, which its death may have told to stop. Those
 * that are still there after `graceMs` are killed, so that their ports are free for the next one.
 */
export async function endGroup(leader: number, graceMs: number): Promise<void> {
  const deadline = performance.now() + graceMs;
  while (signalProcess(-leader, 'SIGCONT') && performance.now() < deadline) await sleep(20);
  signalProcess(-leader, 'SIGKILL');
}

/** Start time of a running process, to recognise it later; `undefined` when there is none (a zombie counts as none). */
export function startTimeOf(pid: number): string | undefined {
  return process.platform === 'linux' ? factsFromProc(pid)?.startedAt : factsFromPs(['-p', String(pid)])[0]?.startedAt;
}

/** Name of the program that a process runs, without its folder; `undefined` when there is no such process. */
export function programOf(pid: number): string | undefined {
  if (process.platform === 'linux') return factsFromProc(pid)?.program;
  const stdout = ps(['-p', String(pid), '-o', 'comm=']);
  return stdout.trim() === '' ? undefined : basename(stdout.trim());
}

/** Running processes that were started with exactly this argument. */
export function processesWithArgument(argument: string): number[] {
  if (process.platform === 'linux') return pidsFromProc().filter((pid) => argumentsOf(pid).includes(argument));
  const stdout = ps(['-A', '-o', 'pid=,args=']);
  return stdout
    .split('\n')
    .filter((line) => line.endsWith(` ${argument}`))
    .map((line) => Number.parseInt(line, 10));
}

function argumentsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** Everything that a process started, and what that started. */
export function descendants(pid: number): number[] {
  const all = process.platform === 'linux' ? allFromProc() : factsFromPs(['-A']);
  const found: number[] = [];
  const open = [pid];
  for (let parent = open.pop(); parent !== undefined; parent = open.pop()) {
    const children = all.filter((facts) => facts.parentPid === parent).map((facts) => facts.pid);
    found.push(...children);
    open.push(...children);
  }
  return found;
}

function allFromProc(): ProcessFacts[] {
  return pidsFromProc()
    .map(factsFromProc)
    .filter((facts) => facts !== undefined);
}

function pidsFromProc(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function factsFromProc(pid: number): (ProcessFacts & { readonly program: string }) | undefined {
  try {
    const text = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    // The program's name is in brackets and may itself hold spaces and brackets. Fields are counted after it.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [state = '', parentPid] = fields;
    if (state === 'Z') return undefined;
    const program = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'));
    return { pid, parentPid: Number(parentPid), state, startedAt: fields[19] ?? '', program };
  } catch {
    return undefined;
  }
}

function factsFromPs(which: readonly string[]): ProcessFacts[] {
  const stdout = ps([...which, '-o', 'pid=,ppid=,state=,lstart=']);
  return stdout
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.+)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, pid, parentPid, state = '', startedAt = '']) => ({
      pid: Number(pid),
      parentPid: Number(parentPid),
      state,
      startedAt: startedAt.trim(),
    }))
    .filter(({ state }) => !state.startsWith('Z'));
}

const ps = (args: readonly string[]): string =>
  spawnSync('ps', args, { encoding: 'utf8', env: { ...toolEnvironment(), LC_ALL: 'C' } }).stdout;
