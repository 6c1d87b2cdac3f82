import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const children = new Set();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/**
 * Runs a program to its end and returns what it wrote; never throws for a program that fails or does not exist.
 *
 * `status` is -1 when the program could not be started or ran longer than `timeoutMs`. `onLine` sees each line of
 * both streams as it comes, for progress.
 */
export function run(program, args, { timeoutMs = 0, onLine, env, cwd } = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, LC_ALL: 'C', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.add(child);
    const out = { stdout: [], stderr: [] };
    for (const stream of /** @type {const} */ (['stdout', 'stderr'])) {
      createInterface({ input: child[stream] }).on('line', (line) => {
        out[stream].push(line);
        onLine?.(line);
      });
    }
    const timer = timeoutMs ? setTimeout(() => child.kill('SIGKILL'), timeoutMs) : undefined;
    const finish = (status, failure) => {
      clearTimeout(timer);
      children.delete(child);
      const stderr = [...out.stderr, ...(failure ? [failure] : [])];
      resolve({
        status,
        stdout: out.stdout.join('\n'),
        stderr: stderr.join('\n'),
        output: [...out.stdout, ...stderr].join('\n'),
      });
    };
    child.on('error', (error) => finish(-1, error.message));
    child.on('close', (code, signal) => finish(code ?? -1, signal ? `ended by ${signal}` : undefined));
  });
}

/** The last `count` lines that say something, for error messages. */
export function tail(text, count = 12) {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.slice(-count).join('\n');
}
