import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { z } from 'zod';
import { defineJob } from '../../../jobs/runner/declaration';

/** Work in a child process, as a dump is; the child ends with its parent, whose end of the pipe closes. */
export const job = defineJob({
  name: 'hold-a-child',
  purpose: 'Holds a child process until it is told to stop.',
  input: z.strictObject({ attempts: z.number().default(1).describe('Attempts that hold; a later one succeeds.') }),
  schedule: null,
  concurrency: { atMost: 1 },
  freshness: null,
  runbook: 'hold-a-child.md',
  attemptSeconds: 120,
  attempts: 2,
  pauseSeconds: 0.5,
  run: async ({ attempts }, { attempt, log, progress, signal }) => {
    if (attempt > attempts) return { attempt };
    const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
    const ended = once(child, 'exit');
    log.info({ pid: child.pid }, 'child started');
    progress({ doneBytes: 1_000_000, totalBytes: 4_000_000 });
    if (!signal.aborted) await Promise.race([once(signal, 'abort'), ended]);
    child.kill();
    await ended;
    signal.throwIfAborted();
    throw new Error('the child ended by itself');
  },
});
