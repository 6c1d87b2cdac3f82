import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { ensureApplicationRole } from '../../../db/application-role';
import { migrate } from '../../../db/migrate';
import { openDatabase, type Database, type DatabaseOptions } from '../../../db/pool';
import { prepareTelemetry } from '../../../db/time-series-upkeep';
import { startPostgres } from '../../../local/postgres';
import type { PostgresServer } from '../../../servers/postgres';
import { removeDataFolder } from '../../../servers/postgres-data';
import { testLog } from '../../support/servers';

/** A durable Postgres that a test may stop, crash or suspend; the others' is not touched. */
export interface OwnPostgres {
  readonly db: Database;
  /** How a process of its own reaches it. */
  readonly options: DatabaseOptions;
  readonly process: PostgresServer;
  /** Ends it as a power cut would, and starts it again on its port. */
  crash(): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

export async function startOwnPostgres(): Promise<OwnPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'derms-test-postgres-'));
  chmodSync(folder, 0o711); // as root, Postgres runs as another user, who must get to its data
  const password = randomBytes(18).toString('base64url');
  const startServer = (port?: number): Promise<PostgresServer> =>
    startPostgres({ dataDir: join(folder, 'data'), password, ...(port === undefined ? {} : { port }) });
  let server = await startServer();
  const { host, port, superuser: user } = server;
  const client = new Client({ host, port, user, password, database: 'postgres' });
  await client.connect();
  await migrate(client);
  await ensureApplicationRole(client, 'derms_app', password);
  await client.end();
  const options: DatabaseOptions = {
    host,
    port,
    database: 'postgres',
    user: 'derms_app',
    password,
    poolSize: 5,
    connectTimeoutMs: 500,
    queryTimeoutMs: 1_500,
    applicationName: 'test',
  };
  const db = openDatabase(options, testLog);
  const patient = openDatabase({ ...options, queryTimeoutMs: 20_000 }, testLog);
  await prepareTelemetry(patient, Date.now(), 30);
  await patient.close();
  return {
    db,
    options,
    get process() {
      return server;
    },
    async crash() {
      await server.stop('immediate');
    },
    async start() {
      server = await startServer(port);
    },
    async remove() {
      server.resume();
      await db.close();
      await server.stop();
      removeDataFolder(join(folder, 'data'));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
