import { z } from 'zod';
import { retainBackups } from '../backups/retain-backups';
import { databaseBackup } from './runner/database-backup';
import { defineJob } from './runner/declaration';

/** Lets old dumps go, or says which would; `db-backup` does the same at its end. */
export const job = defineJob({
  name: 'backup-retention',
  purpose: 'Removes dumps that are past their time, or says which would be.',
  input: z.strictObject({
    dryRun: z.boolean().default(true).describe('true: only say what would be removed, and by which proof.'),
  }),
  schedule: null,
  concurrency: { atMost: 1 },
  freshness: null,
  runbook: 'backup-retention.md',
  attemptSeconds: 3_600,
  attempts: 3,
  run: ({ dryRun }, context) => {
    const ports = databaseBackup(context);
    const nowMs = context.ports.now().getTime();
    return retainBackups(ports, { kind: 'dump', jobName: 'db-backup', rule: ports.rules.dump, nowMs, dryRun });
  },
});
