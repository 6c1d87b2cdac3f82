import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { ensureApplicationRole } from '../db/application-role';
import { migrate } from '../db/migrate';
import { openDatabase, type Database, type DatabaseOptions } from '../db/pool';
import { prepareTimeSeries } from '../db/time-series-upkeep';
import { startMosquitto } from '../local/mosquitto';
import type { MosquittoBroker } from '../servers/mosquitto';
import { startPostgres } from '../local/postgres';
import type { PostgresServer } from '../servers/postgres';
import { removeDataFolder } from '../servers/postgres-data';
import { createLogger } from '../observability/logger';

export const RETENTION_DAYS = 30;
const DATABASE = 'derms';
const ROLE = 'derms_app';

export interface BenchServers {
  readonly postgres: PostgresServer;
  readonly mosquitto: MosquittoBroker;
  /** For the application's role; for child processes too. */
  readonly database: DatabaseOptions;
  readonly db: Database;
  stop(): Promise<void>;
}

/** A durable Postgres (fsync on) with a migrated database, and a broker, with data that is thrown away. */
export async function startBenchServers(): Promise<BenchServers> {
  const folder = mkdtempSync(join(tmpdir(), 'derms-bench-'));
  chmodSync(folder, 0o711); // as root, Postgres runs as another user, who must get to its data
  const password = randomBytes(18).toString('base64url');
  const postgres = await startPostgres({ dataDir: join(folder, 'postgres'), password, profile: 'durable' });
  const mosquitto = await startMosquitto({ dataDir: join(folder, 'mosquitto') });
  const admin = { host: postgres.host, port: postgres.port, user: postgres.superuser, password };
  await withClient({ ...admin, database: 'postgres' }, (client) => client.query(`create database ${DATABASE}`));
  await withClient({ ...admin, database: DATABASE }, async (client) => {
    await migrate(client);
    await ensureApplicationRole(client, ROLE, password);
  });
  const database: DatabaseOptions = {
    host: postgres.host,
    port: postgres.port,
    database: DATABASE,
    user: ROLE,
    password,
    poolSize: 5,
    connectTimeoutMs: 5_000,
    queryTimeoutMs: 60_000,
    applicationName: 'derms-bench',
  };
  const db = openDatabase(database, createLogger({ service: 'derms', role: 'bench', level: 'warn', pretty: false }));
  await prepareTimeSeries(db, Date.now(), RETENTION_DAYS);
  return {
    postgres,
    mosquitto,
    database,
    db,
    async stop() {
      await db.close();
      await Promise.all([postgres.stop(), mosquitto.stop()]);
      removeDataFolder(join(folder, 'postgres'));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function withClient(
  options: { host: string; port: number; user: string; password: string; database: string },
  work: (client: Client) => Promise<unknown>,
): Promise<void> {
  const client = new Client(options);
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
