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

  describe('with a limit to its silence', () => {
    const silence = { ms: 300 };

    it('is ended when it hangs, for what it owed is not coming', async () => {
      const hung = programText({ ...shell('echo begun; kill -STOP $$; echo never'), silence });
      await expect(hung).rejects.toMatchObject({ code: 'TIMED_OUT', message: 'sh has moved no byte for 0.3 s' });
    }, 15_000);

    it('is ended when it takes no more input', async () => {
      async function* endless(): AsyncGenerator<Uint8Array> {
        for (;;) yield Buffer.alloc(65_536);
      }
      const hung = runProgram({ ...shell('head -c 100000 > /dev/null; exec sleep 4714'), input: endless, silence });
      await expect(hung).rejects.toMatchObject({ code: 'TIMED_OUT' });
      expect(sleepers(4714)).toBe('0');
    });

    it('is ended when it does not end after its last output', async () => {
      const hung = programText({ ...shell('exec 1>&-; exec sleep 4715'), silence });
      await expect(hung).rejects.toMatchObject({ code: 'TIMED_OUT' });
      expect(sleepers(4715)).toBe('0');
    });

    it('is not blamed for input that does not come, nor for output that nobody takes', async () => {
      async function* slowly(): AsyncGenerator<Uint8Array> {
        for (const text of ['a', 'b']) {
          await sleep(700);
          yield Buffer.from(text);
        }
      }
      let text = '';
      for await (const chunk of streamProgram({ program: '/bin/cat', args: [], env, input: slowly, silence })) {
        text += chunk.toString();
        await sleep(700);
      }
      expect(text).toBe('ab');
    });

    it('goes on while somebody who knows says that it works', async () => {
      let asked = 0;
      const isWorking = async (): Promise<boolean> => {
        asked += 1;
        return asked < 3;
      };
      expect(await programText({ ...shell('sleep 0.7; echo done'), silence: { ms: 300, isWorking } })).toBe('done\n');
      expect(asked).toBe(2);
      const hung = programText({ ...shell('exec sleep 4716'), silence: { ms: 300, isWorking } });
      await expect(hung).rejects.toMatchObject({ code: 'TIMED_OUT' });
    });
  });

  it('that does not exist says so', async () => {
    await expect(programText({ program: '/no/such/program', args: [], env })).rejects.toThrow(
      'program cannot be started: /no/such/program',
    );
  });
});
