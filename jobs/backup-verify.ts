import { z } from 'zod';
import { readBaseManifest } from '../backups/base/verify-base';
import type { KeptBackup } from '../backups/catalogue';
import { archiveCoverage } from '../backups/wal/coverage';
import { formatLsn } from '../domain/wal-names';
import { JobFailure, JobSkipped, type JobContext } from './runner/context';
import { checkBackup, databaseBackup } from './runner/database-backup';
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
    for (const backup of backups) looked.push({ backupId: backup.backupId, ...(await checkBackup(context, backup)) });
    const failed = looked.filter(({ verdict }) => verdict === 'failed');
    if (failed.length === 0) return { looked, archive: await lookAtArchive(context) };
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
  if (found === null) throw new JobFailure('BACKUP_NOT_FOUND', `there is no backup ${backupId} in storage`);
  return [found];
}

/** A result has a size limit. */
const MOST_NAMED = 20;

/**
 * How far the archived log leads from the newest base backup; null while there is none.
 *
 * @throws {JobFailure} WAL_ARCHIVE_GAP: no moment after the gap can be recovered to, until there is a base backup after it.
 */
async function lookAtArchive(context: JobContext) {
  const { storage, keyRing, catalogue } = databaseBackup(context);
  const newest = (await catalogue.kept('base')).find(({ proofCheckId }) => proofCheckId !== null);
  if (newest === undefined) return null;
  const { server, ...base } = await readBaseManifest({ storage }, newest.key, context.signal);
  const { systemIdentifier: systemId, timeline } = server;
  const { reachesLsn, gaps } = await archiveCoverage({ storage, keyRing, systemId }, { ...base, timeline });
  const reaches = reachesLsn === null ? null : formatLsn(reachesLsn);
  const seen = { from: base.startLsn, reaches, missing: gaps.length, gaps: gaps.slice(0, MOST_NAMED) };
  await context.evidence('wal-archive', { backupId: newest.backupId, ...seen });
  const [first] = gaps;
  if (first === undefined) return seen;
  const more = gaps.length === 1 ? '' : ` and ${String(gaps.length - 1)} more`;
  throw new JobFailure(
    'WAL_ARCHIVE_GAP',
    `${first}${more} of the log after base backup ${newest.backupId} is not in the archive, though later files are`,
  );
}
