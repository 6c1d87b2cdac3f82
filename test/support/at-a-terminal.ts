import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from './servers';

const PTY = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';

/** A program at a terminal of its own, as a person sees it. */
interface AtATerminal {
  /** Waits until the screen shows it. */
  shows(text: string): Promise<void>;
  /** `\r` is the return key, `\x03` Ctrl-C, `\x04` Ctrl-D. */
  type(keys: string): void;
  ended(): Promise<{ readonly code: number | null; readonly screen: string }>;
}

/** Python's pty module makes the terminal; ends the program when the test is over before it. */
export function atATerminal(argv: readonly string[], options: { cwd: string; env: NodeJS.ProcessEnv }): AtATerminal {
  const child: ChildProcess = spawn('python3', ['-c', PTY, ...argv], {
    ...options,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let screen = '';
  child.stdout?.on('data', (chunk: Buffer) => (screen += chunk.toString()));
  const ended = once(child, 'close') as Promise<[number | null]>;
  return {
    shows: (text) =>
      eventually(() => {
        expect(screen).toContain(text);
      }, 30_000),
    type: (keys) => void child.stdin?.write(keys),
    async ended() {
      const [code] = await ended;
      return { code, screen };
    },
  };
}
