import { randomUUID } from 'node:crypto';
import { Client as TemporalClient, Connection } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { msToTs } from '@temporalio/common/lib/time';
import { Client } from 'pg';
import { openDatabase, type Database, type DatabaseOptions } from '../../db/pool';
import { createLogger } from '../../observability/logger';
import { FEEDER_SEARCH_ATTRIBUTE } from '../../workflows/messages';

export const TEMPLATE_DATABASE = 'derms_template';

/** Where the servers of this run are; made by the global set-up. */
export interface TestServers {
  readonly postgres: {
    readonly host: string;
    readonly port: number;
    readonly adminUser: string;
    readonly adminPassword: string;
    readonly user: string;
    readonly password: string;
    readonly pid: number;
    /** What the application's role goes through: PgBouncer with `DERMS_TEST_THROUGH_PGBOUNCER=1`, else the server. */
    readonly road: { readonly host: string; readonly port: number };
  };
  readonly mqtt: {
    readonly host: string;
    readonly port: number;
    readonly username: string;
    readonly password: string;
    readonly pid: number;
  };
  readonly temporal: { readonly address: string };
}

export function testServers(): TestServers {
  const found = process.env['DERMS_TEST_SERVERS'];
  if (found === undefined)
    throw new Error('the test servers are not there: this kind of test needs the global set-up of jest.config.cjs');
  return JSON.parse(found) as TestServers;
}

export const testLog = createLogger({
  service: 'derms',
  role: 'test',
  level: process.env['TEST_LOG_LEVEL'] ?? 'silent',
  pretty: false,
});

export interface TestDatabase {
  readonly name: string;
  /** As the application's role. */
  readonly db: Database;
  /** How another process of that role reaches it. */
  readonly options: DatabaseOptions;
  /** The same past the pooler, where there is one. */
  readonly direct: DatabaseOptions;
  drop(): Promise<void>;
}

/** A migrated database of one's own, cloned in a tenth of a second. */
export async function createTestDatabase({ poolSize = 5 } = {}): Promise<TestDatabase> {
  const { host, port, adminUser, adminPassword, user, password, road } = testServers().postgres;
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const onServer = async (sql: string): Promise<void> => {
    const client = new Client({ host, port, user: adminUser, password: adminPassword, database: 'postgres' });
    await client.connect();
    try {
      await client.query('select pg_advisory_lock(1)'); // two clones of one template at once are refused
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  await onServer(`create database ${name} template ${TEMPLATE_DATABASE}`);
  const options: DatabaseOptions = {
    ...road,
    database: name,
    user,
    password,
    poolSize,
    connectTimeoutMs: 5_000,
    queryTimeoutMs: 20_000,
    applicationName: 'test',
  };
  const db = openDatabase(options, testLog);
  return {
    name,
    db,
    options,
    direct: { ...options, host, port },
    drop: async () => {
      await db.close();
      await onServer(`drop database ${name} with (force)`);
    },
  };
}

export interface TestNamespace {
  readonly namespace: string;
  readonly address: string;
  readonly client: TemporalClient;
  close(): Promise<void>;
}

const RETENTION = '1 day';
const KEYWORD = temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD;

/** A Temporal namespace of one's own, so that task queues, workflow ids and schedules never meet another test's. */
export async function createTestNamespace(): Promise<TestNamespace> {
  const { address } = testServers().temporal;
  const namespace = `test-${randomUUID()}`;
  const connection = await Connection.connect({ address });
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: msToTs(RETENTION),
  });
  await eventually(() => connection.workflowService.describeNamespace({ namespace }));
  await eventually(() =>
    connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: { [FEEDER_SEARCH_ATTRIBUTE]: KEYWORD },
    }),
  );
  return {
    namespace,
    address,
    client: new TemporalClient({ connection, namespace }),
    close: () => connection.close(),
  };
}

/** Tries until it works, at most `withinMs`; rejects with the last error. */
export async function eventually<T>(attempt: () => T | Promise<T>, withinMs = 15_000, pauseMs = 50): Promise<T> {
  const until = Date.now() + withinMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > until) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
