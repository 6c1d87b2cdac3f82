import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { backupKeyOf } from '../../../../backups/backup-key';
import { findBackupPrograms } from '../../../../backups/postgres/programs';
import type { DumpOrder, DumpPorts } from '../../../../backups/postgres/take-dump';
import { ensureBackupRole } from '../../../../db/backup-role';
import { readToolchain } from '../../../../local/toolchain';
import { createDirectoryStorage } from '../../../../storage/directory';
import { keyRing } from '../../../support/keys';
import { createTestDatabase, testServers, type TestDatabase } from '../../../support/servers';

/** A database with rows, the role that backs it up, and a folder to store into. */
export interface DumpWorld {
  readonly database: TestDatabase;
  readonly ports: DumpPorts;
  readonly folder: string;
  order(more?: Partial<DumpOrder>): DumpOrder;
  /** A session as the superuser, in a database of this server. */
  admin(database?: string): Promise<Client>;
  /** Sessions on the server that belong to this run. */
  sessionsOf(runId: string): Promise<number>;
  close(): Promise<void>;
}

export async function createDumpWorld({ rows }: { readonly rows: number }): Promise<DumpWorld> {
  const { host, port, adminUser, adminPassword } = testServers().postgres;
  const database = await createTestDatabase();
  const folder = mkdtempSync(join(tmpdir(), 'derms-dump-'));
  const role = { user: `backup_${randomUUID().slice(0, 8)}`, password: randomBytes(12).toString('hex') };
  const opened: Client[] = [];
  const admin = async (name = database.name): Promise<Client> => {
    const client = new Client({ host, port, user: adminUser, password: adminPassword, database: name });
    client.on('error', () => undefined);
    await client.connect();
    opened.push(client);
    return client;
  };
  const server = await admin();
  await ensureBackupRole(server, role.user, role.password);
  await server.query(`create table load_of_a_test (id bigint primary key, noise text)`);
  await server.query(
    `insert into load_of_a_test select n, encode(sha256(n::text::bytea), 'hex') from generate_series(1, ${String(rows)}) n`,
  );
  const { postgres, zstd } = readToolchain();
  return {
    database,
    folder,
    admin,
    ports: {
      storage: createDirectoryStorage(folder),
      keyRing: keyRing('k1'),
      programs: findBackupPrograms({ postgresBin: postgres.bin, zstd: zstd.path }),
      access: { host, port, database: database.name, ...role },
      deployment: 'development',
    },
    order: (more = {}) => {
      const runId = more.runId ?? randomUUID();
      return {
        key: backupKeyOf('dump', new Date('2026-11-25T02:15:00Z'), runId),
        runId,
        workflowId: `job/db-backup/${runId}`,
        signal: new AbortController().signal,
        ...more,
      };
    },
    async sessionsOf(runId) {
      const { rows: found } = await server.query<{ count: number }>(
        'select count(*)::integer as count from pg_stat_activity where application_name = $1',
        [`derms-backup ${runId}`],
      );
      return found[0]?.count ?? -1;
    },
    async close() {
      for (const client of opened.slice(1)) await client.end().catch(() => undefined);
      await server.query(`drop owned by ${role.user}`);
      await server.query(`drop role ${role.user}`);
      await server.end();
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
