import { Client } from 'pg';
import type { DatabaseOptions, Queryable, TransactionOptions, Transactions } from './pool';
import { postgresTls } from '../tls/postgres-tls';

/**
 * One direct connection for work that takes minutes: without the application's time limits, and without a pooler, which
 * would refuse to lift them. Statements are ended by `signal`, or within seconds of our own end.
 */
export async function withUpkeepConnection<T>(
  options: Omit<DatabaseOptions, 'poolSize' | 'queryTimeoutMs'>,
  signal: AbortSignal,
  work: (connection: Transactions) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const client = new Client({
    host: options.host,
    port: options.port,
    database: options.database,
    user: options.user,
    password: options.password,
    ssl: postgresTls(options.tls),
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs,
    keepAlive: true,
    options: '-c statement_timeout=0 -c lock_timeout=0 -c client_connection_check_interval=2s',
  });
  client.on('error', () => undefined); // the statement that runs rejects with it
  const abort = (): void => {
    void client.end();
  };
  await client.connect();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await work({ query: (text, values) => client.query(text, values), transaction: inTransaction(client) });
  } catch (error) {
    throw signal.aborted ? (signal.reason ?? error) : error;
  } finally {
    signal.removeEventListener('abort', abort);
    await client.end();
  }
}

const inTransaction =
  (client: Client) =>
  async <T>(work: (tx: Queryable) => Promise<T>, { isolation = 'read committed' }: TransactionOptions = {}) => {
    await client.query(`begin isolation level ${isolation}`);
    try {
      const result = await work(client);
      await client.query('commit');
      return result;
    } catch (error) {
      await client.query('rollback').catch(() => undefined); // a connection that broke is discarded by its owner
      throw error;
    }
  };
