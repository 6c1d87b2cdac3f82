import { randomUUID } from 'node:crypto';
import { backupKeyOf } from '../../backups/backup-key';
import { hashTables } from '../../backups/postgres/content-hash';
import type { BackupPrograms } from '../../backups/postgres/programs';
import type { PostgresAccess } from '../../backups/postgres/server';
import { withSnapshot } from '../../backups/postgres/snapshot';
import { storeDump } from '../../backups/postgres/store-dump';
import { takeDump } from '../../backups/postgres/take-dump';
import { createDirectoryStorage } from '../../storage/directory';
import { newKeyEntry, parseKeyRing } from '../../storage/encryption/key-ring';
import type { ObjectStorage } from '../../storage/port';
import { createS3Storage } from '../../storage/s3';
import type { S3Location } from '../../storage/s3-client';

export interface DumpOrder {
  readonly work: 'dump' | 'dump and content hash' | 'content hash';
  readonly access: PostgresAccess;
  readonly programs: BackupPrograms;
  readonly to: { readonly folder: string } | { readonly s3: S3Location };
}

export interface DumpReport {
  readonly event: 'done';
  readonly seconds: number;
  /** The most resident memory above what there was before the work, bytes; of this process, not of its programs. */
  readonly growthBytes: number;
}

const LOOK_EACH_MS = 50;

/** One backup, or one half of it, as the worker makes it; the object is removed afterwards. */
async function dump({ work, access, programs, to }: DumpOrder): Promise<void> {
  const storage: ObjectStorage = 's3' in to ? await createS3Storage(to.s3) : createDirectoryStorage(to.folder);
  const ports = {
    storage,
    access,
    programs,
    keyRing: parseKeyRing(newKeyEntry('bench')),
    deployment: 'development',
  } as const;
  const runId = randomUUID();
  const key = backupKeyOf('dump', new Date(), runId);
  const { signal } = new AbortController();
  const before = process.memoryUsage.rss();
  let most = before;
  const look = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, LOOK_EACH_MS);
  const began = performance.now();
  if (work === 'dump and content hash') await takeDump(ports, { key, runId, workflowId: `bench/${runId}`, signal });
  else
    await withSnapshot<unknown>(access, runId, signal, (snapshot) =>
      work === 'dump'
        ? storeDump(ports, { key, runId, signal, snapshot, onBytes: () => undefined })
        : hashTables(snapshot.client),
    );
  const seconds = (performance.now() - began) / 1000;
  clearInterval(look);
  for await (const stored of storage.list('')) await storage.remove(stored.key);
  process.send?.({ event: 'done', seconds, growthBytes: most - before } satisfies DumpReport);
  process.disconnect();
}

process.once('disconnect', () => process.exit(0));
process.once('message', (order) => {
  void dump(order as DumpOrder);
});
