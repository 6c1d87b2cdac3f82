import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { watchSilence, type SilenceLimit, type SilenceWatch } from './silence';

export interface ProgramOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** The whole environment of the program. */
  readonly env: NodeJS.ProcessEnv;
  /**
   * Makes what it reads; nothing by default. When that throws, the program is ended and the error is ours. The signal
   * fires when the program is gone: a source that is silent just then ends by it, and is waited for.
   */
  readonly input?: (until: AbortSignal) => AsyncIterable<Uint8Array>;
  /** The input is read to its end even when the program wants no more of it: what follows its last need is checked too. */
  readonly drainsInput?: boolean;
  /** When it fires the program is ended, and the iteration throws its reason. */
  readonly signal?: AbortSignal;
  /** Ends a program that hangs; one that may be silent for as long as it likes (it checks files) has none. */
  readonly silence?: SilenceLimit;
  readonly onSpawn?: (pid: number) => void;
}

/** A program that did not do its work: what it said last is in the message. */
export class ProgramError extends Error {
  override readonly name = 'ProgramError';

  constructor(
    readonly program: string,
    readonly exitCode: number | null,
    readonly exitSignal: NodeJS.Signals | null,
    /** The end of what it wrote to stderr. */
    readonly stderr: string,
  ) {
    const how = exitSignal === null ? `exit code ${String(exitCode)}` : exitSignal;
    super(`${nameOf(program)} ended with ${how}${stderr === '' ? '' : `: ${stderr}`}`);
  }
}

/** It is asked to end, and killed when it did not within this, ms. */
const GRACE_MS = 5_000;
const STDERR_TAIL = 4_000;

/**
 * Runs a program in a process group of its own and passes on what it writes. The iteration ends well only after the
 * program has exited with 0, so that what consumes it never takes half an output for a whole one; when it is left early,
 * for whatever reason, the program is ended first and waited for.
 *
 * @throws {ProgramError} when it exits with something else, or is killed.
 * @throws {DermsError} `TIMED_OUT` when it was silent for too long.
 */
export async function* streamProgram(options: ProgramOptions): AsyncGenerator<Buffer> {
  const { signal } = options;
  signal?.throwIfAborted();
  const running = await start(options);
  const abort = (): void => {
    void running.end();
  };
  signal?.addEventListener('abort', abort, { once: true });
  try {
    signal?.throwIfAborted(); // while it was started
    running.watch.awaited(true);
    for await (const chunk of running.child.stdout) {
      running.watch.awaited(false);
      yield chunk as Buffer; // no encoding is set
      running.watch.moved();
      running.watch.awaited(true);
    }
    await running.finished();
    signal?.throwIfAborted();
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error;
  } finally {
    signal?.removeEventListener('abort', abort);
    await running.end();
  }
}

/** Runs a program whose output does not matter, or is handed to `onOutput` piece by piece. */
export async function runProgram(
  options: ProgramOptions & { readonly onOutput?: (chunk: Buffer) => void },
): Promise<void> {
  for await (const chunk of streamProgram(options)) options.onOutput?.(chunk);
}

/** The output of a program that writes little, as text. */
export async function programText(options: ProgramOptions, mostBytes = 16 * 1024 ** 2): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of streamProgram(options)) {
    bytes += chunk.byteLength;
    if (bytes > mostBytes) throw new Error(`${nameOf(options.program)} wrote more than ${String(mostBytes)} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

interface Running {
  readonly child: Child;
  readonly watch: SilenceWatch;
  /** Settles once it is gone: rejects when it failed, or its input did. */
  finished(): Promise<void>;
  /** Ends it when it still runs, and waits until it and what makes its input are gone. Never rejects. */
  end(): Promise<void>;
}

const groups = new Set<number>();
// Should we end without having ended them (an uncaught error), they do not stay behind.
process.on('exit', () => {
  for (const pid of groups) signalGroup(pid, 'SIGKILL');
});

async function start(options: ProgramOptions): Promise<Running> {
  const { program, args, env, input, drainsInput = false, onSpawn, silence } = options;
  const child: Child = spawn(program, args, { env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  const closed = new Promise<readonly [number | null, NodeJS.Signals | null]>((resolve) => {
    child.once('close', (code, exitSignal) => {
      resolve([code, exitSignal]);
    });
  });
  try {
    await once(child, 'spawn');
  } catch (cause) {
    throw new Error(`${nameOf(program)} cannot be started: ${program}`, { cause });
  }
  const { pid } = child;
  if (pid === undefined) throw new Error(`${nameOf(program)} started without a process id`);
  groups.add(pid);
  onSpawn?.(pid);
  const over = new AbortController();
  let gone = false;
  const stderr = tailOf(child.stderr);
  const terminate = (): void => {
    if (gone) return;
    signalGroup(pid, 'SIGTERM');
    const killer = setTimeout(() => {
      signalGroup(pid, 'SIGKILL');
    }, GRACE_MS);
    void closed.then(() => {
      clearTimeout(killer);
    });
  };
  const isOver = new Error(`${nameOf(program)} is over`);
  let failure: { readonly error: unknown } | null = null;
  const fail = (error: unknown): void => {
    failure ??= { error };
    terminate();
  };
  const watch = watchSilence(nameOf(program), silence, fail);
  void closed.then(([code]) => {
    watch.end();
    gone = true;
    groups.delete(pid);
    if (code !== 0 || !drainsInput) over.abort(isOver);
  });
  const fed = feed(child.stdin, input?.(over.signal) ?? nothing(), { drainsInput, watch }).catch((error: unknown) => {
    if (!over.signal.aborted) fail(error);
  });
  return {
    child,
    watch,
    async finished() {
      const [code, exitSignal] = await closed;
      if (code === 0 && drainsInput) await fed;
      if (failure !== null) throw failure.error;
      if (code !== 0) throw new ProgramError(program, code, exitSignal, stderr());
    },
    async end() {
      child.stdout.resume(); // with something unread it would never be closed
      terminate();
      await closed;
      over.abort(isOver);
      await fed;
    },
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** Hands `input` on. A program that has read enough, or is gone, only ends it early. */
async function feed(
  stdin: Writable,
  input: AsyncIterable<Uint8Array>,
  { drainsInput, watch }: { readonly drainsInput: boolean; readonly watch: SilenceWatch },
): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    stdin.on('error', () => resolve()).on('close', resolve);
  });
  watch.starved(true);
  for await (const chunk of input) {
    if (stdin.destroyed && drainsInput) continue;
    if (stdin.destroyed) return;
    watch.starved(false);
    if (!stdin.write(chunk)) await Promise.race([once(stdin, 'drain').catch(() => undefined), closed]);
    watch.moved();
    watch.starved(true);
  }
  watch.starved(false);
  stdin.end();
}

function tailOf(stream: Readable): () => string {
  let tail = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    tail = (tail + text).slice(-STDERR_TAIL);
  });
  return () => tail.trim();
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // it is gone
  }
}

const nameOf = (program: string): string => program.slice(program.lastIndexOf('/') + 1);
