import { Client, type ClientConfig } from 'pg';
import { directDatabaseAccess } from '../config/connections';
import { loadSettings } from '../config/load';
import { Secrets } from '../config/secrets';
import { createLogger } from '../observability/logger';
import { ensureApplicationRole } from './application-role';
import { markDeployment } from './deployment-mark';
import { ensureBackupRole } from './backup-role';
import { migrate } from './migrate';
import { openDatabase } from './pool';
import { postgresTls } from '../tls/postgres-tls';
import { prepareTimeSeries } from './time-series-upkeep';

/** `node dist/db/migrate-main.js`: database, schema, application role and the first partitions; safe to repeat. */
async function main(): Promise<void> {
  const settings = loadSettings(process.env);
  const secrets = new Secrets(process.env);
  const log = createLogger({
    service: 'derms',
    role: 'migrate',
    level: settings.LOG_LEVEL,
    pretty: settings.LOG_PRETTY,
    secrets: secrets.seen,
  });
  const access = directDatabaseAccess(settings, secrets);
  const { host, port } = access;
  const owner = {
    host,
    port,
    ssl: postgresTls(access.tls),
    user: settings.DB_ADMIN_USER ?? settings.DB_USER,
    password: settings.DB_ADMIN_PASSWORD ?? settings.DB_PASSWORD,
    connectionTimeoutMillis: settings.DB_CONNECT_TIMEOUT_MS,
  };
  await ensureDatabase(owner, settings.DB_NAME);
  const client = new Client({ ...owner, database: settings.DB_NAME });
  await client.connect();
  try {
    const applied = await migrate(client);
    if (settings.DB_ADMIN_USER !== undefined)
      await ensureApplicationRole(client, settings.DB_USER, settings.DB_PASSWORD);
    if (!(await markDeployment(client, settings.DB_NAME, settings.DEPLOYMENT)))
      log.warn(
        { dbHost: host },
        'the database is not ours to mark: restore drills cannot tell what deployment it serves',
      );
    const { BACKUP_DB_USER: backupRole, BACKUP_DB_PASSWORD: backupPassword } = settings;
    if (backupRole !== undefined && backupPassword !== undefined)
      if (!(await ensureBackupRole(client, backupRole, backupPassword)))
        log.warn({ dbHost: host, backupRole }, 'we may not give it REPLICATION: no base backup can be taken');
    log.info({ dbHost: host, applied }, applied.length > 0 ? 'schema migrated' : 'schema is up to date');
  } finally {
    await client.end();
  }
  const db = openDatabase(
    {
      ...access,
      poolSize: 1,
      queryTimeoutMs: 60_000,
      applicationName: 'derms-migrate',
    },
    log,
  );
  try {
    const made = await prepareTimeSeries(db, Date.now(), settings.TELEMETRY_RETENTION_DAYS);
    log.info({ partitions: made.length }, 'partitions are ready');
  } finally {
    await db.close();
  }
}

async function ensureDatabase(owner: ClientConfig, name: string): Promise<void> {
  const client = new Client({ ...owner, database: 'postgres' });
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`);
  } catch (error) {
    // Another process may have made it between the look and the act: 42P04 duplicate_database, 23505 on the catalogue.
    if (!['42P04', '23505'].includes((error as { code?: string }).code ?? '')) throw error;
  } finally {
    await client.end();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
