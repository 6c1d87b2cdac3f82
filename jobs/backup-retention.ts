import { z } from 'zod';
import { defineJob } from './runner/declaration';
import { retainBases, retainDumps } from './runner/retention';

/** Lets old backups go, or says which would; `db-backup` and `base-backup` do the same at their ends. */
export const job = defineJob({
  name: 'backup-retention',
  purpose:
    'Removes dumps and base backups that are past their time, and the log that no kept base backup needs; or says which would be.',
  input: z.strictObject({
    dryRun: z.boolean().default(true).describe('true: only say what would be removed, and by which proof.'),
  }),
  schedule: null,
  concurrency: { atMost: 1 },
  freshness: null,
  runbook: 'backup-retention.md',
  attemptSeconds: 3_600,
  attempts: 3,
  run: async ({ dryRun }, context) => ({
    dump: await retainDumps(context, { dryRun }),
    ...(await retainBases(context, { dryRun })),
  }),
});
