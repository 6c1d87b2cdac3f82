import { randomUUID } from 'node:crypto';
import { backupKeyOf } from '../../backups/backup-key';
import type { DumpManifest } from '../../backups/manifest-schema';
import { takeDump } from '../../backups/postgres/take-dump';
import type { PostgresAccess } from '../../backups/postgres/server';
import type { RestoreWorld } from './restore-world';

/** A backup as the job makes it, named as if it had been taken at `nominalAt`. */
export function makeBackup(
  access: PostgresAccess,
  { storage, keyRing, programs }: Pick<RestoreWorld, 'storage' | 'keyRing' | 'programs'>,
  nominalAt = new Date(),
): Promise<DumpManifest> {
  const runId = randomUUID();
  return takeDump(
    { storage, keyRing, programs, access, deployment: 'development' },
    {
      key: backupKeyOf('dump', nominalAt, runId),
      ...{ runId, workflowId: `job/db-backup/${runId}`, signal: AbortSignal.timeout(60_000) },
    },
  );
}
