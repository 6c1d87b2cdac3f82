import { setTimeout as sleep } from 'node:timers/promises';
import { logTail, type ChildProcess, type StartOptions } from './child-process';

const TRY_EVERY_MS = 50;

export interface ReadyOptions extends StartOptions {
  readonly withinMs: number;
}

/**
 * Asks `probe` again and again until it answers without throwing; the child is stopped when that does not happen.
 *
 * Throws, with the end of the child's log, when the child ends first or the time is over. A probe that knows it will
 * never succeed throws `GiveUpError`.
 */
export async function untilReady(
  child: ChildProcess,
  probe: () => Promise<void>,
  options: ReadyOptions,
): Promise<void> {
  options.onSpawn?.(child);
  try {
    await tryAgainAndAgain(child, probe, options);
  } catch (error) {
    await child.stop();
    throw error;
  }
}

/** A refusal that no amount of waiting cures, such as a wrong password. */
export class GiveUpError extends Error {
  override readonly name = 'GiveUpError';
}

async function tryAgainAndAgain(
  child: ChildProcess,
  probe: () => Promise<void>,
  { withinMs, signal }: ReadyOptions,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    signal?.throwIfAborted();
    try {
      await probe();
      if (child.isRunning()) return;
    } catch (error) {
      if (error instanceof GiveUpError) throw error;
      if (performance.now() > deadline) {
        throw new Error(`${child.name} did not become ready in ${withinMs / 1000} s${fromLog(child)}`, {
          cause: error,
        });
      }
    }
    if (!child.isRunning()) throw new Error(`${child.name} ended while starting${await howItEnded(child)}`);
    await sleep(TRY_EVERY_MS);
  }
}

/** For messages: signal or exit code, and the end of the log. */
export async function howItEnded(child: ChildProcess): Promise<string> {
  const { code, signal } = await child.exited;
  return ` (${signal ?? `exit code ${code}`})${fromLog(child)}`;
}

function fromLog({ logFile }: ChildProcess): string {
  const tail = logTail(logFile);
  return tail === '' ? `; its log ${logFile} is empty` : `; end of ${logFile}:\n${tail}`;
}
