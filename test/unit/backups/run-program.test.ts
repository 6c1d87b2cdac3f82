import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProgramError, programText, runProgram, streamProgram } from '../../../backups/run-program';

const env = { PATH: process.env['PATH'] };
const shell = (script: string) => ({ program: '/bin/sh', args: ['-c', script], env });

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

/** Processes that sleep for exactly this long: each test has a time of its own. */
function sleepers(seconds: number): string {
  return execFileSync('/bin/sh', ['-c', `ps -A -o args= | grep -c '^sleep ${String(seconds)}$' || true`], {
    encoding: 'utf8',
  }).trim();
}

describe('a program that is run', () => {
  it('gets its input and hands its output on', async () => {
    expect(await programText({ program: '/bin/cat', args: [], env, input: () => chunks('a', 'b', 'c') })).toBe('abc');
  });

  it('takes input far beyond what a pipe holds', async () => {
    const mebibyte = 'x'.repeat(1024 ** 2);
    const input = () => chunks(...Array.from({ length: 20 }, () => mebibyte));
    let bytes = 0;
    await runProgram({ program: '/bin/cat', args: [], env, input, onOutput: (chunk) => (bytes += chunk.byteLength) });
    expect(bytes).toBe(20_971_520);
  });

  it('does not end its output well when it fails after having written, and says what it said last', async () => {
    const read = programText(shell('echo half; echo "out of memory" >&2; exit 3'));
    await expect(read).rejects.toThrow(new ProgramError('/bin/sh', 3, null, 'out of memory'));
    await expect(programText(shell('echo half; kill -9 $$'))).rejects.toThrow('sh ended with SIGKILL');
  });

  it('fails as its input does', async () => {
    async function* input(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('a');
      throw new Error('the disk is on fire');
    }
    await expect(programText({ program: '/bin/cat', args: [], env, input })).rejects.toThrow('the disk is on fire');
  });

  it('may stop reading before its input ends, which then is told to end', async () => {
    let ended = false;
    async function* endless(until: AbortSignal): AsyncGenerator<Uint8Array> {
      try {
        while (!until.aborted) {
          yield Buffer.from('line\n');
          await sleep(1);
        }
      } finally {
        ended = true;
      }
    }
    expect(await programText({ ...shell('head -n 1'), input: endless })).toBe('line\n');
    expect(ended).toBe(true);
  });

  it('is gone with its children when it is aborted, and throws the reason', async () => {
    const stop = new AbortController();
    const running = programText({ ...shell('sleep 4711 & wait'), signal: stop.signal });
    running.catch(() => undefined);
    for (let tries = 0; sleepers(4711) !== '1' && tries < 200; tries += 1) await sleep(20);
    stop.abort(new Error('the run was cancelled'));
    await expect(running).rejects.toThrow('the run was cancelled');
    expect(sleepers(4711)).toBe('0');
  });

  it('is gone when nobody wants the rest of its output', async () => {
    for await (const chunk of streamProgram(shell('echo first; exec sleep 4712'))) {
      expect(chunk.toString()).toBe('first\n');
      break;
    }
    expect(sleepers(4712)).toBe('0');
  });

  it('ends what feeds it when it dies, however long that would have been silent', async () => {
    const input = (until: AbortSignal) => streamProgram({ ...shell('exec sleep 4713'), signal: until });
    await expect(programText({ ...shell('exit 1'), input })).rejects.toThrow('sh ended with exit code 1');
    expect(sleepers(4713)).toBe('0');
  });

  it('that does not exist says so', async () => {
    await expect(programText({ program: '/no/such/program', args: [], env })).rejects.toThrow(
      'program cannot be started: /no/such/program',
    );
  });
});
