import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** An operator's own program that breaks or mends a part: words that a shell does not see. */
export interface ActCommand {
  /** Program and its first arguments. */
  readonly words: readonly string[];
  /** Longest that it may take, ms. */
  readonly withinMs: number;
}

const TAIL = 2_000;

/**
 * Runs it with more arguments and waits for its end.
 *
 * @throws with the end of what it wrote, when it exits with something else than 0 or takes too long.
 */
export async function runActCommand(
  { words, withinMs }: ActCommand,
  args: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const [program = '', ...first] = words;
  const child = spawn(program, [...first, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: AbortSignal.any([signal, AbortSignal.timeout(withinMs)]),
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-TAIL);
    });
  const asked = [...words, ...args].join(' ');
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`it exited with ${String(code)}`);
  } catch (cause) {
    signal.throwIfAborted();
    throw new Error(`${asked} failed: ${cause instanceof Error ? cause.message : String(cause)}\n${said.trim()}`, {
      cause,
    });
  }
}
