import { z } from 'zod';
import type { KeptBackup } from '../backups/catalogue';
import { JobFailure, JobSkipped, type JobContext } from './runner/context';
import { checkDump, databaseBackup } from './runner/database-backup';
import { defineJob } from './runner/declaration';

const HOUR_S = 3_600;
const input = z.strictObject({
  backupId: z.uuid().optional().describe('Only this one.'),
  most: z.number().int().min(1).max(1_000).default(3).describe('Most backups looked at, those of longest ago first.'),
});

/** Reads stored dumps back to their end, so that one that has gone bad is known before it is needed. */
export const job = defineJob({
  name: 'backup-verify',
  purpose: 'Reads stored backups back and proves that they can be restored from.',
  input,
  schedule: { cron: '15 9 * * *', overlap: 'skip', catchUpSeconds: 12 * HOUR_S },
  concurrency: { atMost: 1 },
  freshness: { objective: 'stored backups were read back in the last 26 h', withinSeconds: 26 * HOUR_S },
  runbook: 'backup-verify.md',
  attemptSeconds: 6 * HOUR_S,
  attempts: 3,
  run: async (order, context) => {
    const backups = await chosen(order, context);
    const looked = [];
    for (const backup of backups) looked.push({ backupId: backup.backupId, ...(await checkDump(context, backup)) });
    const failed = looked.filter(({ verdict }) => verdict === 'failed');
    if (failed.length === 0) return { looked };
    const told = failed.map(({ backupId, faults }) => `${backupId}: ${faults.join(', ')}`).join('; ');
    throw new JobFailure('BACKUP_VERIFICATION_FAILED', told);
  },
});

async function chosen({ backupId, most }: z.output<typeof input>, context: JobContext): Promise<readonly KeptBackup[]> {
  const { catalogue } = databaseBackup(context);
  if (backupId === undefined) {
    const due = await catalogue.toCheck(most);
    if (due.length > 0) return due;
    throw new JobSkipped('there is no backup to look at');
  }
  const found = await catalogue.find(backupId);
  if (found === null) throw new JobFailure('BACKUP_NOT_FOUND', `there is no dump ${backupId} in storage`);
  return [found];
}
