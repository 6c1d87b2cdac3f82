import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Client } from 'pg';
import type { WalArchive } from '../../../backups/wal/archive-file';
import { walNameOf, walPrefix } from '../../../backups/wal/archive-key';
import { startPostgres } from '../../../local/postgres';
import type { PostgresServer } from '../../../servers/postgres';
import { removeDataFolder } from '../../../servers/postgres-data';
import { unprivilegedUser } from '../../../servers/os-user';
import { createDirectoryStorage } from '../../../storage/directory';
import { newKeyEntry, parseKeyRing, type KeyRing } from '../../../storage/encryption/key-ring';
import type { ObjectStorage } from '../../../storage/port';
import { eventually } from '../../support/servers';

const REPOSITORY = join(__dirname, '../../..');

/** A cluster of one's own whose log goes to a directory, by our own `archive_command`. */
export interface ArchivingPostgres {
  /** Everything of the test lies below it; who runs PostgreSQL may enter it. */
  readonly folder: string;
  readonly storage: ObjectStorage;
  /** As `BACKUP_ENCRYPTION_KEYS`. */
  readonly keys: string;
  readonly keyRing: KeyRing;
  readonly server: PostgresServer;
  readonly restoreCommand: string;
  query<Row extends object>(sql: string): Promise<Row[]>;
  archive(): Promise<WalArchive>;
  /** Ends the current segment and waits until it is archived; returns its name. */
  switchSegment(): Promise<string>;
  archivedNames(): Promise<string[]>;
  /** Runs our program as the server would: the exit code and what it says. */
  remove(): Promise<void>;
}

export async function startArchivingPostgres(): Promise<ArchivingPostgres> {
  const osUser = unprivilegedUser('postgres');
  // Not `derms-test-`: what lies below that name without a run's record is swept by the next test run.
  const folder = mkdtempSync(join(tmpdir(), 'derms-archiving-'));
  chmodSync(folder, 0o711);
  const backups = join(folder, 'backups');
  mkdirSync(join(backups, '.parts'), { recursive: true, mode: 0o700 });
  const keys = newKeyEntry('test');
  const envFile = join(folder, 'wal.env');
  writeFileSync(envFile, `BACKUP_STORAGE=${pathToFileURL(backups).href}\nBACKUP_ENCRYPTION_KEYS=${keys}\n`, {
    mode: 0o600,
  });
  if (osUser) for (const path of [backups, join(backups, '.parts'), envFile]) chownSync(path, osUser.uid, osUser.gid);
  const command = walCommand(envFile);
  const password = randomBytes(18).toString('base64url');
  const server = await startPostgres({
    dataDir: join(folder, 'data'),
    password,
    settings: {
      archive_mode: 'on',
      archive_command: `${command} archive %p %f`,
      max_wal_senders: 4,
      wal_level: 'replica',
    },
  });
  const { host, port, superuser: user } = server;
  const query = async <Row extends object>(sql: string): Promise<Row[]> => {
    const client = new Client({ host, port, user, password, database: 'postgres' });
    await client.connect();
    try {
      return (await client.query(sql)).rows as Row[]; // the caller knows its query
    } finally {
      await client.end();
    }
  };
  const storage = createDirectoryStorage(backups);
  const keyRing = parseKeyRing(keys);
  const systemId = async (): Promise<string> =>
    (await query<{ id: string }>('select system_identifier::text as id from pg_control_system()'))[0]!.id;
  const archivedNames = async (): Promise<string[]> => {
    const names: string[] = [];
    for await (const { key } of storage.list(walPrefix(await systemId()))) names.push(walNameOf(key));
    return names;
  };
  return {
    folder,
    storage,
    keys,
    keyRing,
    server,
    restoreCommand: `${command} restore %f %p`,
    query,
    archive: async () => ({ storage, keyRing, systemId: await systemId() }),
    archivedNames,
    async switchSegment() {
      const [row] = await query<{ name: string }>(
        "select pg_walfile_name(pg_logical_emit_message(false, 'test', 'x')) as name",
      );
      await query('select pg_switch_wal()');
      await eventually(async () => expect(await archivedNames()).toContain(row!.name), 30_000);
      return row!.name;
    },
    async remove() {
      await server.stop('immediate');
      removeDataFolder(join(folder, 'data'));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The program as it is started in production, compiled on the way. */
const walCommand = (envFile: string): string =>
  [
    process.execPath,
    join(REPOSITORY, 'test/adapter/broker/run-typescript.cjs'),
    join(REPOSITORY, 'backups/wal/main.ts'),
    '--env',
    envFile,
  ]
    .map((part) => `"${part}"`)
    .join(' ');
