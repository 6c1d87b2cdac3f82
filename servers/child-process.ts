import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { signalProcess, signalTree } from './process-tree';

export interface ChildOptions {
  /** What people call it, in messages. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** The whole environment of the child; nothing is added. Default: ours. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Takes both output streams, appended. The child writes to it directly, so it can outlive us without a broken pipe. */
  readonly logFile: string;
  /** Another OS user to run as; only root may ask for one. */
  readonly runAs?: { readonly uid: number; readonly gid: number };
  /** What asks it to end properly. Default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
}

/** What the starters of servers have in common. */
export interface StartOptions {
  /** Takes both output streams, appended. */
  readonly logFile?: string;
  /** Gives up starting: the child is stopped and the start rejects. Does nothing once it is ready. */
  readonly signal?: AbortSignal;
  /** Called as soon as the process exists, long before it is ready. */
  readonly onSpawn?: (child: ChildProcess) => void;
}

export interface ExitInfo {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that we started, in a session of its own: a Ctrl-C in our terminal does not reach it. */
export interface ChildProcess {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Settles when it has ended, for whatever reason; never rejects. */
  readonly exited: Promise<ExitInfo>;
  readonly isRunning: () => boolean;
  /** Asks it to end and waits; after `graceMs` (default 8,000) it and all its children are killed. Safe to call twice. */
  stop(options?: { readonly signal?: NodeJS.Signals; readonly graceMs?: number }): Promise<ExitInfo>;
  /** SIGKILL to it and all its children: a crash. */
  kill(): Promise<ExitInfo>;
  /** SIGSTOP to it and all its children: it hangs, its sockets stay open and nobody answers. */
  suspend(): void;
  /** SIGCONT: undoes `suspend`. */
  resume(): void;
}

const DEFAULT_GRACE_MS = 8_000;
const running = new Set<{ readonly pid: number; readonly stopSignal: NodeJS.Signals }>();

// Should we end without having stopped them (an uncaught error), they are at least asked to.
process.on('exit', () => {
  for (const { pid, stopSignal } of running) {
    signalTree(pid, 'SIGCONT');
    signalProcess(pid, stopSignal);
  }
});

/** Starts a program; throws when it does not exist or may not be run. That it starts says nothing about being ready. */
export async function startChild(options: ChildOptions): Promise<ChildProcess> {
  const { name, program, args, logFile, stopSignal = 'SIGTERM' } = options;
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a', 0o640);
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['ignore', log, log],
    detached: true,
    ...options.runAs,
  });
  const exited = new Promise<ExitInfo>((resolve) => {
    child.once('exit', (code, signal) => {
      resolve({ code, signal });
    });
  });
  try {
    await once(child, 'spawn');
  } catch (cause) {
    throw new Error(`${name} cannot be started: ${program}`, { cause });
  } finally {
    closeSync(log);
  }
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${name} started without a process id`);
  const entry = { pid, stopSignal };
  running.add(entry);
  let alive = true;
  void exited.then(() => {
    alive = false;
    running.delete(entry);
  });

  const kill = (): Promise<ExitInfo> => {
    if (alive) signalTree(pid, 'SIGKILL');
    return exited;
  };
  return {
    name,
    pid,
    logFile,
    exited,
    isRunning: () => alive,
    kill,
    async stop({ signal = stopSignal, graceMs = DEFAULT_GRACE_MS } = {}) {
      if (!alive) return exited;
      signalProcess(pid, signal);
      signalTree(pid, 'SIGCONT');
      const timeout = new AbortController();
      const tooLate = sleep(graceMs, 'too late' as const, { signal: timeout.signal }).catch(() => undefined);
      const first = await Promise.race([exited, tooLate]);
      timeout.abort();
      return first === 'too late' ? kill() : exited;
    },
    suspend() {
      if (alive) signalTree(pid, 'SIGSTOP');
    },
    resume() {
      if (alive) signalTree(pid, 'SIGCONT');
    },
  };
}

/** The end of a log file, for messages about a child that failed. */
export function logTail(logFile: string, lines = 12): string {
  try {
    return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}
