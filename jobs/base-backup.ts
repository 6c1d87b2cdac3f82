import { z } from 'zod';
import { backupKeyOf } from '../backups/backup-key';
import { readReadiness, type ClusterReadiness } from '../backups/base/cluster-facts';
import { proveBase } from '../backups/base/prove-base';
import { storeBase, type StoredBase } from '../backups/base/store-base';
import { asCatalogued } from '../backups/catalogue';
import type { DatabaseBackupPorts } from '../backups/database-ports';
import { withSession } from '../backups/postgres/session';
import { JobFailure, JobSkipped, type JobContext } from './runner/context';
import { basePrograms, databaseBackup, readingProgress, sweepUnfinished } from './runner/database-backup';
import { defineSteps } from './runner/declaration';
import { recordCheck } from './runner/record-check';
import { retainBases, type RetainedBases } from './runner/retention';

const HOUR_S = 3_600;
/** As its runs say it: where the log is not archived nothing is promised. */
const ARCHIVING_IS_OFF = 'archiving-off';

/** Copies the whole cluster into storage, so that with the archived log it can be recovered to any moment since. */
export const job = defineSteps({
  name: 'base-backup',
  purpose:
    'Where the log is archived: copies the whole cluster into storage, encrypted; unpacks and verifies the copy to prove it; removes old ones and the log that none needs.',
  input: z.strictObject({}),
  schedule: { cron: '45 0 * * 0', overlap: 'skip', catchUpSeconds: 24 * HOUR_S },
  concurrency: { atMost: 1 },
  freshness: {
    objective: 'a verified base backup younger than 8 days',
    withinSeconds: 8 * 86_400,
    exceptions: { [ARCHIVING_IS_OFF]: { when: 'the log is not archived', promise: null } },
  },
  alerts: [
    {
      name: 'DermsWalNotArchived',
      expr: 'max(derms_wal_archiving) == 1 and time() - max(derms_wal_last_archived_timestamp_seconds) > 1800',
      holdsFor: '10m',
      severity: 'critical',
      summary: 'The log of the database has not been archived for half an hour: what came since is in no backup.',
    },
    {
      // The promise goes by runs. This goes by what is still proven, and begins when archiving does.
      name: 'DermsBaseBackupOld',
      expr: 'max(derms_wal_archiving) == 1 and time() - max(derms_backup_last_verified_timestamp_seconds{kind="base"}) > 691200',
      holdsFor: '10m',
      severity: 'critical',
      summary:
        'There is no verified base backup of the last 8 days: the archived log leads from an old one, or nowhere.',
    },
  ],
  runbook: 'base-backup.md',
  steps: [
    { name: 'prepare', attemptSeconds: 300, attempts: 5, run: (_input, context) => prepare(context) },
    {
      name: 'copy',
      attemptSeconds: 6 * HOUR_S,
      attempts: 3,
      pauseSeconds: 10,
      run: (_input, context) => copy(context),
    },
    { name: 'prove', attemptSeconds: 6 * HOUR_S, attempts: 3, run: (_input, context) => prove(context) },
    { name: 'retain', attemptSeconds: HOUR_S, attempts: 3, run: (_input, context) => retain(context) },
  ],
});

interface Prepared {
  readonly key: string;
  readonly major: number;
}

/** The name is chosen once, so that every attempt of the copy puts its object in the same place. */
async function prepare(context: JobContext): Promise<Prepared> {
  const ports = databaseBackup(context);
  const { runId, signal } = context;
  const readiness = await withSession(ports.access, runId, signal, readReadiness);
  if (!readiness.archives) throw new JobSkipped(HOW_TO_ARCHIVE, ARCHIVING_IS_OFF);
  refuseUnready(readiness, ports);
  await basePrograms(ports, readiness.major);
  await sweepUnfinished(context, 'base');
  const key = backupKeyOf('base', context.nominalAt ?? context.ports.now(), runId);
  return { key, major: readiness.major };
}

const HOW_TO_ARCHIVE =
  'WAL archiving is off: a base backup leads nowhere without the log that comes after it. Set archive_mode = on and archive_command as docs/wal-archiving.md says, restart the server, run the migrations';

/** @throws {JobFailure} `BACKUP_NOT_CONFIGURED` saying what to do. */
function refuseUnready({ mayReplicate, tablespaces }: ClusterReadiness, { access }: DatabaseBackupPorts): void {
  if (!mayReplicate)
    throw new JobFailure(
      'BACKUP_NOT_CONFIGURED',
      `${access.user} has no right to copy the cluster: run the migrations again, or as a superuser: alter role ${access.user} replication`,
    );
  if (tablespaces.length > 0)
    throw new JobFailure(
      'BACKUP_NOT_CONFIGURED',
      `the cluster has tablespaces of its own (${tablespaces.join(', ')}): one stream holds none of them`,
    );
}

async function copy(context: JobContext): Promise<StoredBase> {
  const ports = databaseBackup(context);
  const { key } = context.results['prepare'] as Prepared; // what that step answered
  const { runId, signal } = context;
  return storeBase(ports, {
    ...{ key, runId, signal },
    onProgress: (doneBytes, totalBytes) => {
      const share = totalBytes === 0 ? 0 : Math.min(0.99, doneBytes / totalBytes); // the log comes on top
      context.progress({ doneBytes, totalBytes, share, note: 'copying the cluster' });
    },
  });
}

interface Proven {
  readonly backupId: string;
  readonly key: string;
  readonly storedBytes: number;
  readonly clusterBytes: number;
  readonly takenAt: string;
  readonly startLsn: string;
  readonly stopLsn: string;
  readonly startWalFile: string;
  readonly timeline: number;
  readonly checkId: number;
}

async function prove(context: JobContext): Promise<Proven> {
  const ports = databaseBackup(context);
  const { major } = context.results['prepare'] as Prepared; // as above
  const stored = context.results['copy'] as StoredBase;
  const { runId, workflowId, signal } = context;
  const { key, bytes } = stored.object;
  const programs = await basePrograms(ports, major);
  const { deployment } = ports;
  const onProgress = readingProgress(context, key, bytes);
  const proof = await proveBase({ ...ports, programs }, stored, { runId, workflowId, deployment, signal, onProgress });
  const { manifest, faults } = proof;
  if (manifest === null) throw new JobFailure('BACKUP_VERIFICATION_FAILED', faults.join('; '));
  await ports.catalogue.add(asCatalogued(manifest));
  const { checkId } = await recordCheck(context, ports.catalogue, { backupId: manifest.backupId, key }, proof);
  const { backupId, takenAt, startLsn, stopLsn, startWalFile, server, archive, object, steps } = manifest;
  const proven: Proven = {
    ...{ backupId, key, storedBytes: bytes, clusterBytes: archive.bytes, takenAt },
    ...{ startLsn, stopLsn, startWalFile, timeline: server.timeline, checkId },
  };
  await context.evidence('base-backup', { ...proven, object, steps });
  context.log.info(proven, 'the cluster is copied, and the copy is proven');
  return proven;
}

async function retain(context: JobContext): Promise<Proven & { readonly retention: RetainedBases }> {
  const retention = await retainBases(context, { dryRun: false });
  context.log.info(retention, 'old base backups and their log looked through');
  return { ...(context.results['prove'] as Proven), retention }; // as above
}
