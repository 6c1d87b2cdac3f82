import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { backupKeyOf } from '../../backups/backup-key';
import { findBasePrograms } from '../../backups/base/programs';
import { proveBase, type BaseProof } from '../../backups/base/prove-base';
import { storeBase, type StoreBaseOrder } from '../../backups/base/store-base';
import type { LookPorts } from '../../backups/base/look-at-base';
import type { BaseManifest } from '../../backups/manifest-schema';
import { findBackupPrograms } from '../../backups/postgres/programs';
import type { PostgresAccess } from '../../backups/postgres/server';
import { ensureBackupRole } from '../../db/backup-role';
import { readToolchain } from '../../local/toolchain';
import { inDirectory, type MakePlace } from './backup-places';
import { startArchivingPostgres, type ArchivingPostgres } from './archiving-postgres';

/** A cluster that archives its log, the role that backs it up, and what base backups stand on. */
export interface BaseWorld {
  readonly postgres: ArchivingPostgres;
  readonly ports: LookPorts & { readonly access: PostgresAccess };
  order(more?: Partial<StoreBaseOrder>): StoreBaseOrder;
  prove(stored: Awaited<ReturnType<typeof storeBase>>, runId: string): Promise<BaseProof>;
  /** As the job does it: stored and proven. */
  take(nominalAt?: Date): Promise<BaseManifest>;
  /** Sessions and slots on the server that belong to this run. */
  leftOf(runId: string): Promise<{ sessions: number; slots: number }>;
  close(): Promise<void>;
}

export async function createBaseWorld(makePlace: MakePlace = inDirectory): Promise<BaseWorld> {
  const postgres = await startArchivingPostgres(makePlace);
  const { storage, keyRing, server, folder } = postgres;
  const { host, port, superuser, password } = server;
  const role = { user: 'derms_backup', password: 'for-a-test' };
  const owner = new Client({ host, port, user: superuser, password, database: 'postgres' });
  await owner.connect();
  await ensureBackupRole(owner, role.user, role.password);
  await owner.end();
  const { postgres: tools, zstd } = readToolchain();
  const scratchParent = join(folder, 'scratch');
  mkdirSync(scratchParent);
  const programs = await findBasePrograms(findBackupPrograms({ postgresBin: tools.bin, zstd: zstd.path }), 15);
  const ports = { storage, keyRing, programs, scratchParent, access: { host, port, database: 'postgres', ...role } };
  const { signal } = new AbortController();
  const order = (more: Partial<StoreBaseOrder> = {}): StoreBaseOrder => {
    const runId = more.runId ?? randomUUID();
    return { key: backupKeyOf('base', new Date('2026-11-22T00:45:00Z'), runId), runId, signal, ...more };
  };
  const prove: BaseWorld['prove'] = (stored, runId) =>
    proveBase(ports, stored, { runId, workflowId: `job/base-backup/${runId}`, deployment: 'development', signal });
  return {
    postgres,
    ports,
    order,
    prove,
    async take(nominalAt = new Date()) {
      const runId = randomUUID();
      const stored = await storeBase(ports, order({ runId, key: backupKeyOf('base', nominalAt, runId) }));
      const { manifest, faults } = await prove(stored, runId);
      if (manifest === null) throw new Error(faults.join());
      return manifest;
    },
    async leftOf(runId) {
      const [row] = await postgres.query<{ sessions: number; slots: number }>(
        `select (select count(*)::integer from pg_stat_activity where application_name = 'derms-backup ${runId}') as sessions,
                (select count(*)::integer from pg_replication_slots) as slots`,
      );
      return row!;
    },
    close: () => postgres.remove(),
  };
}
