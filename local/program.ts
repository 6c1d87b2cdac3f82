import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import { startChild, type ChildProcess, type StartOptions } from '../servers/child-process';
import { howItEnded, untilReady } from '../servers/ready';

export interface ProgramOptions extends StartOptions {
  readonly name: string;
  /** Compiled script that Node runs. */
  readonly script: string;
  readonly args?: readonly string[];
  /** Added to our own environment, over it. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly logFile: string;
  /** Time to become ready, ms; more where many start at once. Default 90 s. */
  readonly readyWithinMs?: number;
}

// A machine that does much else takes a multiple of the ten seconds that a worker needs.
const READY_WITHIN_MS = 90_000;
const ANSWER_WITHIN_MS = 1_000;

/** Starts one of our own programs and returns when all its probes answer 200. */
export async function startProgram(
  options: ProgramOptions & { readonly readyUrls: readonly string[] },
): Promise<ChildProcess> {
  const child = await launch(options);
  const probe = async (): Promise<void> => {
    await Promise.all(options.readyUrls.map(answersOk));
  };
  await untilReady(child, probe, { ...options, withinMs: options.readyWithinMs ?? READY_WITHIN_MS });
  return child;
}

/** Runs one of our own programs to its end; throws with the end of its log when that is not exit code 0. */
export async function runProgram(options: ProgramOptions): Promise<void> {
  const child = await launch(options);
  options.onSpawn?.(child);
  const giveUp = (): void => void child.stop();
  options.signal?.addEventListener('abort', giveUp);
  const { code } = await child.exited;
  options.signal?.removeEventListener('abort', giveUp);
  options.signal?.throwIfAborted();
  if (code !== 0) throw new Error(`${options.name} failed${await howItEnded(child)}`);
}

function launch({ name, script, args = [], env, cwd, logFile }: ProgramOptions): Promise<ChildProcess> {
  if (!existsSync(script)) throw new Error(`${relative(cwd, script)} is not there: run \`npm run build\``);
  return startChild({
    name,
    program: process.execPath,
    args: ['--enable-source-maps', script, ...args],
    env: { ...process.env, ...env },
    cwd,
    logFile,
  });
}

async function answersOk(url: string): Promise<void> {
  const { ok, status } = await fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  if (!ok) throw new Error(`${url} answers ${status}`);
}
