import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { ensureApplicationRole } from '../../db/application-role';
import { migrate } from '../../db/migrate';
import { openDatabase } from '../../db/pool';
import { prepareTimeSeries } from '../../db/time-series-upkeep';
import { startPgBouncer } from '../../local/failover/routers';
import { startTestStack, type TestStack } from '../../local/test-stack';
import { createLogger } from '../../observability/logger';
import type { ChildProcess } from '../../servers/child-process';
import { TEMPLATE_DATABASE, type TestServers } from './servers';

declare global {
  /** One stack for all kinds of test of one run: jest calls the global set-up once per kind, in one process. */
  var dermsTestStack: { stack: Promise<TestStack>; users: number; pooler?: ChildProcess } | undefined;
}

/** Real Postgres, Mosquitto and Temporal for the whole run, and a migrated database that tests clone. */
export default async function globalSetup(): Promise<void> {
  const first = globalThis.dermsTestStack === undefined;
  globalThis.dermsTestStack ??= { stack: startTestStack(), users: 0 };
  globalThis.dermsTestStack.users += 1;
  const stack = await globalThis.dermsTestStack.stack;
  if (!first) return;
  const servers = await prepare(stack);
  process.env['DERMS_TEST_SERVERS'] = JSON.stringify(await withRoad(stack, servers));
}

/** The servers' programs are asked to go through PgBouncer, in transaction mode and with the configuration that we ship. */
async function withRoad(stack: TestStack, servers: TestServers): Promise<TestServers> {
  if (process.env['DERMS_TEST_THROUGH_PGBOUNCER'] !== '1') return servers;
  const { postgres } = servers;
  const {
    host,
    port,
    process: child,
  } = await startPgBouncer({
    server: postgres,
    users: [{ user: 'derms_pooler', password: postgres.password }, postgres],
    folder: stack.folder,
    // Hundreds of databases of tests, few connections each.
    settings: ['server_idle_timeout = 2', 'default_pool_size = 20'],
    onSpawn: stack.onSpawn,
  });
  globalThis.dermsTestStack!.pooler = child;
  return { ...servers, postgres: { ...postgres, road: { host, port } } };
}

async function prepare({ postgres, mosquitto, temporal, brokerUser }: TestStack): Promise<TestServers> {
  const servers: TestServers = {
    postgres: {
      host: postgres.host,
      port: postgres.port,
      adminUser: postgres.superuser,
      adminPassword: postgres.password,
      user: 'derms_app',
      password: randomBytes(18).toString('base64url'),
      pid: postgres.pid,
      road: { host: postgres.host, port: postgres.port },
    },
    mqtt: { host: mosquitto.host, port: mosquitto.port, ...brokerUser, pid: mosquitto.pid },
    temporal: { address: temporal.address },
  };
  const { host, port, adminUser, adminPassword, user, password } = servers.postgres;
  const admin = { host, port, user: adminUser, password: adminPassword };
  const server = new Client({ ...admin, database: 'postgres' });
  await server.connect();
  await server.query(`create database ${TEMPLATE_DATABASE}`);
  await server.end();
  const client = new Client({ ...admin, database: TEMPLATE_DATABASE });
  await client.connect();
  await migrate(client);
  await ensureApplicationRole(client, user, password);
  await client.end();
  const db = openDatabase(
    {
      host,
      port,
      database: TEMPLATE_DATABASE,
      user,
      password,
      poolSize: 1,
      connectTimeoutMs: 5_000,
      queryTimeoutMs: 60_000,
      applicationName: 'test-set-up',
    },
    createLogger({ service: 'derms', role: 'test', level: 'warn', pretty: false }),
  );
  await prepareTimeSeries(db, Date.now(), 30);
  await db.close();
  return servers;
}
