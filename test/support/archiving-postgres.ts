import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { WalArchive } from '../../backups/wal/archive-file';
import { walNameOf, walPrefix } from '../../backups/wal/archive-key';
import { startPostgres } from '../../local/postgres';
import type { PostgresServer } from '../../servers/postgres';
import { removeDataFolder } from '../../servers/postgres-data';
import { unprivilegedUser } from '../../servers/os-user';
import { newKeyEntry, parseKeyRing, type KeyRing } from '../../storage/encryption/key-ring';
import type { ObjectStorage } from '../../storage/port';
import { inDirectory, type BackupPlace, type MakePlace } from './backup-places';
import { eventually } from './servers';

const REPOSITORY = join(__dirname, '../..');

/** A cluster of one's own whose log goes to a store, by our own `archive_command`. */
export interface ArchivingPostgres {
  /** Everything of the test lies below it; who runs PostgreSQL may enter it. */
  readonly folder: string;
  readonly place: BackupPlace;
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
  remove(): Promise<void>;
}

export async function startArchivingPostgres(makePlace: MakePlace = inDirectory): Promise<ArchivingPostgres> {
  const osUser = unprivilegedUser('postgres');
  // Not `derms-test-`: what lies below that name without a run's record is swept by the next test run.
  const folder = mkdtempSync(join(tmpdir(), 'derms-archiving-'));
  chmodSync(folder, 0o711);
  const place = await makePlace(folder);
  const keys = newKeyEntry('test');
  const envFile = join(folder, 'wal.env');
  const lines = Object.entries({ ...place.settings, BACKUP_ENCRYPTION_KEYS: keys }).map((entry) => entry.join('='));
  writeFileSync(envFile, `${lines.join('\n')}\n`, { mode: 0o600 });
  if (osUser) chownSync(envFile, osUser.uid, osUser.gid);
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
  const { storage } = place;
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
    place,
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
      await place.close();
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
