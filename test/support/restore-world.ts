import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BackupPrograms } from '../../backups/postgres/programs';
import type { PostgresAccess } from '../../backups/postgres/server';
import { readToolchain } from '../../local/toolchain';
import { createDirectoryStorage } from '../../storage/directory';
import { newKeyEntry, parseKeyRing, type KeyRing } from '../../storage/encryption/key-ring';
import type { ObjectStorage } from '../../storage/port';
import { addEv, addFeeder } from './fleet-rows';
import { createTestDatabase, testServers, type TestDatabase } from './servers';

/** A database with something in it, and a store for its backups. */
export interface RestoreWorld {
  readonly folder: string;
  readonly storage: ObjectStorage;
  readonly keys: string;
  readonly keyRing: KeyRing;
  readonly programs: BackupPrograms;
  readonly database: TestDatabase;
  /** As the superuser. */
  readonly source: PostgresAccess;
  close(): Promise<void>;
}

export async function createRestoreWorld(): Promise<RestoreWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'derms-restore-test-'));
  const database = await createTestDatabase();
  await addFeeder(database.db, 'north');
  for (const ev of ['ev-1', 'ev-2', 'ev-3']) await addEv(database.db, ev, 'north');
  await database.db.query(
    `insert into telemetry (device_key, sampled_at, received_at, message_id, power_kw, online)
     select device_key, now() - make_interval(secs => s), now(), gen_random_uuid(), s, true
       from devices, generate_series(1, 2000) s`,
  );
  const { host, port, adminUser: user, adminPassword: password } = testServers().postgres;
  const keys = newKeyEntry('k1');
  const { postgres, zstd } = readToolchain();
  return {
    folder,
    storage: createDirectoryStorage(join(folder, 'backups')),
    keys,
    keyRing: parseKeyRing(keys),
    programs: { postgres, zstd },
    database,
    source: { host, port, user, password, database: database.name },
    close: async () => {
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
