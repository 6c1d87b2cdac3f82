import { runActCommand } from '../../../drills/act-command';

/** A program that runs this. */
const program = (script: string): readonly string[] => [process.execPath, '-e', script, '--'];
const never = new AbortController().signal;

describe("an operator's program", () => {
  it('is given what is asked of it as words that no shell sees', async () => {
    const says = 'if (process.argv.slice(1).join() !== "hung,a b;$HOME") process.exit(1)';
    await expect(
      runActCommand({ words: program(says), withinMs: 30_000 }, ['hung', 'a b;$HOME'], never),
    ).resolves.toBeUndefined();
  });

  it('fails with its exit code and the last of what it said', async () => {
    const says = 'console.log("x".repeat(5000)); console.error("the broker is not mine"); process.exitCode = 7';
    const failure = await runActCommand({ words: program(says), withinMs: 30_000 }, ['crash'], never).catch(
      (error: unknown) => (error as Error).message,
    );
    expect(failure).toMatch(/ crash failed: it exited with 7\n/);
    expect(failure).toMatch(/the broker is not mine$/);
    expect(failure!.length).toBeLessThan(2_500);
  });

  it('is ended when it takes too long', async () => {
    const began = performance.now();
    await expect(
      runActCommand({ words: program('setInterval(() => {}, 1e3)'), withinMs: 300 }, [], never),
    ).rejects.toThrow(/failed: .*(aborted|timeout)/);
    expect(performance.now() - began).toBeLessThan(20_000);
  });

  it('is ended with the run, which is then over for that reason and no other', async () => {
    const run = new AbortController();
    const cancelled = new Error('the run was cancelled');
    const done = runActCommand({ words: program('setInterval(() => {}, 1e3)'), withinMs: 30_000 }, [], run.signal);
    run.abort(cancelled);
    await expect(done).rejects.toBe(cancelled);
  });

  it('that is not there is said by name', async () => {
    await expect(
      runActCommand({ words: ['/no/such/program'], withinMs: 1_000 }, ['crash', '10.0.0.1:1883'], never),
    ).rejects.toThrow(/^\/no\/such\/program crash 10.0.0.1:1883 failed: .*ENOENT/);
  });
});
