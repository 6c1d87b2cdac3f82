import { z } from 'zod';
import { defineJob } from '../../../jobs/runner/declaration';

/** Work that is done at once, so that every second has its tick. */
export const job = defineJob({
  name: 'each-second',
  purpose: 'Does next to nothing, each second.',
  input: z.strictObject({}),
  schedule: { cron: '* * * * * *', overlap: 'skip', catchUpSeconds: 10 },
  concurrency: { atMost: 1 },
  freshness: { objective: 'it has run in the last minute', withinSeconds: 60 },
  runbook: 'each-second.md',
  attemptSeconds: 10,
  attempts: 1,
  run: () => Promise.resolve(null),
});
