import { Client } from 'pg';
import { postgresTls } from '../../tls/postgres-tls';
import type { PostgresAccess } from '../postgres/server';

const CONNECT_MS = 15_000;

/** One connection for the time of `work`; it is closed whatever comes of it. */
export async function withClient<T>(
  access: PostgresAccess,
  applicationName: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const { host, port, database, user, password, tls } = access;
  const client = new Client({
    ...{ host, port, database, user, password, ssl: postgresTls(tls) },
    connectionTimeoutMillis: CONNECT_MS,
    application_name: applicationName,
    keepAlive: true,
  });
  client.on('error', () => undefined); // a connection that breaks rejects the query on it
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
