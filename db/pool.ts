import { Pool, type PoolClient, type QueryResult, type QueryResultRow } from 'pg';
import type { Logger } from '../observability/logger';
import type { ClientTls } from '../tls/client-tls';
import { postgresTls } from '../tls/postgres-tls';
import { createConnectPacer } from './connect-pacer';
import { destroySocket, poolClient } from './pool-client';
import { throughRotation } from './through-rotation';

export interface DatabaseOptions {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** A function is asked for each new connection: the password may have changed. */
  readonly password: string | (() => string);
  /** Left out or null: in plain. */
  readonly tls?: ClientTls | null;
  readonly poolSize: number;
  readonly connectTimeoutMs: number;
  readonly queryTimeoutMs: number;
  readonly applicationName: string;
}

/** What queries run on: the pool, or one connection inside a transaction. */
export interface Queryable {
  query<Row extends QueryResultRow>(text: string, values?: unknown[]): Promise<QueryResult<Row>>;
}

export interface Database extends Transactions {
  close: () => Promise<void>;
}

export interface Transactions extends Queryable {
  /**
   * Runs `work` in one transaction on one connection; rolls back when it throws. `statementTimeoutMs` bounds each
   * statement in the server for this transaction only, so that it holds behind a transaction-mode pooler too.
   */
  transaction<T>(work: (tx: Queryable) => Promise<T>, options?: TransactionOptions): Promise<T>;
}

export interface TransactionOptions {
  readonly isolation?: 'read committed' | 'repeatable read';
  readonly statementTimeoutMs?: number;
  readonly readOnly?: boolean;
  /** When it fires the connection is closed, which ends what runs on it. */
  readonly signal?: AbortSignal;
}

/**
 * A pool without session state: no named statements, no session locks, no start-up parameters, so that it works
 * through a transaction-mode pooler. Waiting is bounded everywhere; a broken idle connection is logged and replaced.
 */
export function openDatabase(options: DatabaseOptions, log: Logger): Database {
  const pacer = createConnectPacer(options.connectTimeoutMs / 4, Math.random);
  const pool = new Pool({
    Client: poolClient(pacer),
    host: options.host,
    port: options.port,
    database: options.database,
    user: options.user,
    password: options.password,
    ssl: postgresTls(options.tls),
    max: options.poolSize,
    connectionTimeoutMillis: options.connectTimeoutMs,
    query_timeout: options.queryTimeoutMs,
    application_name: options.applicationName,
    keepAlive: true,
    keepAliveInitialDelayMillis: 2_000,
    // Jittered, so that replicas do not reconnect in step.
    idleTimeoutMillis: 30_000 + Math.floor(Math.random() * 10_000),
    maxLifetimeSeconds: 1_800 + Math.floor(Math.random() * 600),
  });
  const withPassword = <T>(attempt: () => Promise<T>): Promise<T> =>
    typeof options.password === 'string' ? attempt() : throughRotation(attempt, options.connectTimeoutMs);
  pool.on('error', (err) => {
    log.warn({ err, dbHost: options.host }, 'an idle database connection broke');
  });
  return {
    query: (text, values) => withPassword(() => pool.query(text, values)),
    transaction: (work, transactionOptions = {}) =>
      inTransaction(() => withPassword(() => pool.connect()), work, transactionOptions),
    close: () => pool.end(),
  };
}

async function inTransaction<T>(
  connect: () => Promise<PoolClient>,
  work: (tx: Queryable) => Promise<T>,
  { isolation = 'read committed', statementTimeoutMs, readOnly = false, signal }: TransactionOptions,
): Promise<T> {
  signal?.throwIfAborted();
  const client = await connect();
  let broken: Error | undefined;
  // The pool listens to idle connections only; one that breaks while it is ours rejects the query that runs on it.
  const onError = (error: Error): void => {
    broken = error;
  };
  client.on('error', onError);
  const abort = (): void => {
    broken = new Error('aborted');
    destroySocket(client);
  };
  signal?.addEventListener('abort', abort, { once: true });
  try {
    signal?.throwIfAborted();
    await client.query(`begin isolation level ${isolation}${readOnly ? ' read only' : ''}`);
    if (statementTimeoutMs !== undefined)
      await client.query(`set local statement_timeout = ${String(Math.ceil(statementTimeoutMs))}`);
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    broken ??= await undo(client, error);
    throw signal?.aborted === true ? (signal.reason ?? error) : error;
  } finally {
    signal?.removeEventListener('abort', abort);
    client.release(broken);
    client.off('error', onError);
  }
}

/** A server that did not answer in time is not asked once more: that would take as long again. */
async function undo(client: PoolClient, error: unknown): Promise<Error | undefined> {
  if (!(error instanceof Error) || !/query read timeout/i.test(error.message)) return rollback(client);
  destroySocket(client);
  return error;
}

/** undefined when the connection is fit to be used again. */
async function rollback(client: PoolClient): Promise<Error | undefined> {
  try {
    await client.query('rollback');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
