import { z } from 'zod';
import { adoptBackups, type Adopted } from '../backups/adopt-backups';
import type { KeptBackup } from '../backups/catalogue';
import { readBaseManifest } from '../backups/base/verify-base';
import { verifyCopy } from '../backups/mqtt/verify-copy';
import { archiveCoverage } from '../backups/wal/coverage';
import { formatLsn } from '../domain/wal-names';
import { JobFailure, JobSkipped, type JobContext } from './runner/context';
import { checkBackup, databaseBackup } from './runner/database-backup';
import { defineJob } from './runner/declaration';
import { recordCheck, type CheckedBackup } from './runner/record-check';

const HOUR_S = 3_600;
const input = z.strictObject({
  backupId: z.uuid().optional().describe('Only this one.'),
  most: z
    .number()
    .int()
    .min(1)
    .max(1_000)
    .default(3)
    .describe('Most backups of each kind looked at, those of longest ago first.'),
});

/** Reads stored backups back to their end, so that one that has gone bad is known before it is needed. */
export const job = defineJob({
  name: 'backup-verify',
  purpose:
    'Compares the catalogue with storage, and reads stored backups back to prove that they can be restored from.',
  input,
  schedule: { cron: '15 9 * * *', overlap: 'skip', catchUpSeconds: 12 * HOUR_S },
  concurrency: { atMost: 1 },
  freshness: { objective: 'stored backups were read back in the last 26 h', withinSeconds: 26 * HOUR_S },
  runbook: 'backup-verify.md',
  attemptSeconds: 6 * HOUR_S,
  attempts: 3,
  run: async ({ backupId, most }, context) => {
    const stock = backupId === undefined ? await takeStock(context) : [];
    const backups = backupId === undefined ? await due(stock, most, context) : [await one(backupId, context)];
    if (backups.length === 0) throw new JobSkipped('there is no backup to look at');
    const looked = [];
    for (const backup of backups) looked.push({ backupId: backup.backupId, ...(await check(backup, context)) });
    const failed = looked.filter(({ verdict }) => verdict === 'failed');
    if (failed.length === 0) return { looked, stock, archive: await lookAtArchive(context) };
    const told = failed.map(({ backupId, faults }) => `${backupId}: ${faults.join(', ')}`).join('; ');
    throw new JobFailure('BACKUP_VERIFICATION_FAILED', told);
  },
});

type Kind = KeptBackup['kind'];
type KindStock = Adopted & { readonly kind: Kind };

/** That this deployment can look at. */
const kindsOf = ({ ports: { mqttBackup } }: JobContext): readonly Kind[] =>
  typeof mqttBackup === 'string' ? ['dump', 'base'] : ['dump', 'base', 'mqtt'];

async function takeStock(context: JobContext): Promise<KindStock[]> {
  const stock: KindStock[] = [];
  for (const kind of kindsOf(context)) {
    const found = await adoptBackups(databaseBackup(context), kind, { signal: context.signal });
    const { adopted, untrusted, gone, withoutManifest, withoutObject } = found;
    if (adopted.length > 0) context.log.warn({ kind, adopted }, 'backups in storage had no row; they have one now');
    if (gone.length > 0) context.log.error({ kind, gone }, 'backups are not in storage any more');
    if (untrusted.length > 0) context.log.error({ kind, untrusted }, 'what lies in storage cannot be trusted');
    if (withoutManifest.length + withoutObject.length > 0)
      context.log.info({ kind, withoutManifest, withoutObject }, 'halves of backups lie in storage');
    stock.push({ kind, ...found });
  }
  return stock;
}

/** Those that are gone first: their row must not go on saying that they are there. */
async function due(stock: readonly KindStock[], most: number, context: JobContext): Promise<KeptBackup[]> {
  const { catalogue } = databaseBackup(context);
  const backups = new Map<string, KeptBackup>();
  for (const { gone } of stock) for (const { backupId } of gone) backups.set(backupId, await one(backupId, context));
  for (const kind of kindsOf(context))
    for (const backup of await catalogue.toCheck(kind, most)) backups.set(backup.backupId, backup);
  return [...backups.values()];
}

async function one(backupId: string, context: JobContext): Promise<KeptBackup> {
  const found = await databaseBackup(context).catalogue.find(backupId);
  if (found !== null && kindsOf(context).includes(found.kind)) return found;
  throw new JobFailure('BACKUP_NOT_FOUND', `there is no backup ${backupId} in storage that could be looked at here`);
}

async function check(backup: KeptBackup, context: JobContext): Promise<CheckedBackup> {
  const { mqttBackup } = context.ports;
  if (backup.kind !== 'mqtt' || typeof mqttBackup === 'string') return checkBackup(context, backup);
  context.progress({ note: `proving ${backup.key}` });
  return recordCheck(context, mqttBackup.catalogue, backup, await verifyCopy(mqttBackup, backup.key, context.signal));
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
