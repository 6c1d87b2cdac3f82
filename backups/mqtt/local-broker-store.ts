import { statSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { DermsError } from '../../domain/errors';
import { programOf, signalProcess } from '../../servers/process-tree';
import type { BrokerStore, SavedStore } from './broker-store';

export interface LocalBroker {
  readonly name: string;
  /** The broker's `persistence_location` and `persistence_file`. */
  readonly storePath: string;
  /** The process itself, or the file that the broker writes it to (`pid_file`), read anew for each save. */
  readonly process: { readonly pid: number } | { readonly pidFile: string };
  /** Longest wait for the store to be replaced. 200,000 retained messages took 0.3 s to write. Default 60,000. */
  readonly saveWithinMs?: number;
}

const SAVE_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 20;
/** Mosquitto 2.0 forgets a signal that comes while it saves, as it does by itself each minute. */
const ASK_AGAIN_MS = 2_000;
const PIECE_BYTES = 256 * 1024;

/**
 * A broker on this machine, or in a container that shares its processes and its store's folder with ours.
 *
 * Mosquitto answers SIGUSR1 by writing `<store>.new`, flushing it and renaming it over the store. The store is thus
 * whole whenever it is there, and who has opened it goes on reading the same one when the next save replaces it.
 */
export function localBrokerStore(broker: LocalBroker): BrokerStore {
  const { name, storePath, saveWithinMs = SAVE_WITHIN_MS } = broker;
  return {
    name,
    description:
      'pid' in broker.process
        ? `${storePath} of process ${broker.process.pid}`
        : `${storePath} of the process in ${broker.process.pidFile}`,

    async save({ signal } = {}) {
      const pid = await pidOf(broker);
      requireMosquitto(pid);
      // Nothing between the two: all that was acknowledged before the signal is in whatever replaces this file.
      const before = look(storePath);
      askToSave(pid);
      const askedAt = performance.now();
      for (let askAgainAt = askedAt + ASK_AGAIN_MS; ;) {
        signal?.throwIfAborted();
        const now = look(storePath);
        if (now !== null && now.version !== before?.version) return now;
        if (!signalProcess(pid, 0)) throw unavailable(`the broker (process ${pid}) ended while it was asked to save`);
        if (performance.now() > askedAt + saveWithinMs) throw notReplaced(broker, saveWithinMs);
        if (performance.now() > askAgainAt) {
          askToSave(pid);
          askAgainAt += ASK_AGAIN_MS;
        }
        await sleep(LOOK_EVERY_MS, undefined, signal === undefined ? {} : { signal });
      }
    },

    read: (options) => readWhole(storePath, options?.signal),
  };
}

async function pidOf({ process }: LocalBroker): Promise<number> {
  if ('pid' in process) return process.pid;
  const text = await readFile(process.pidFile, 'utf8').catch((cause: unknown) => {
    throw unavailable(`${process.pidFile} cannot be read: is the broker running, with this \`pid_file\`?`, cause);
  });
  const pid = Number(text.trim());
  if (Number.isSafeInteger(pid) && pid > 1) return pid;
  throw unavailable(`${process.pidFile} holds no process id`);
}

/** SIGUSR1 ends most programs: the process that a stale file names may be anybody. */
function requireMosquitto(pid: number): void {
  const program = programOf(pid);
  if (program === undefined) throw unavailable(`the broker is not running: there is no process ${pid}`);
  if (program !== 'mosquitto') throw unavailable(`process ${pid} is ${program}, not mosquitto; it was left alone`);
}

function askToSave(pid: number): void {
  try {
    process.kill(pid, 'SIGUSR1');
  } catch (cause) {
    throw unavailable(`process ${pid} may not be signalled: run as the broker's user, or as root`, cause);
  }
}

/** What the store is now; null while there is none. */
function look(storePath: string): SavedStore | null {
  const found = statSync(storePath, { bigint: true, throwIfNoEntry: false });
  if (found === undefined) return null;
  return {
    bytes: Number(found.size),
    savedAtMs: Number(found.mtimeNs / 1_000_000n),
    version: `${found.ino}-${found.mtimeNs}-${found.size}`,
  };
}

function notReplaced({ storePath }: LocalBroker, withinMs: number): DermsError {
  const halfWritten = look(`${storePath}.new`) === null ? '' : `; ${storePath}.new is half-written: is the disk full?`;
  return unavailable(
    `the broker did not save to ${storePath} within ${withinMs / 1000} s: it hangs, keeps its store elsewhere, or has \`persistence false\`${halfWritten}`,
  );
}

async function* readWhole(storePath: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const file = await open(storePath).catch((cause: unknown) => {
    throw unavailable(`${storePath} cannot be read`, cause);
  });
  try {
    const { size } = await file.stat();
    let bytes = 0;
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(PIECE_BYTES), 0, PIECE_BYTES, null);
      if (bytesRead === 0) break;
      bytes += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
    if (bytes !== size) throw unavailable(`${storePath} went from ${size} to ${bytes} bytes while it was read`);
  } finally {
    await file.close();
  }
}

const unavailable = (message: string, cause?: unknown): DermsError =>
  new DermsError('BROKER_STORE_UNAVAILABLE', message, { cause });
