import { Client } from 'pg';
import { postgresTls } from '../../tls/postgres-tls';
import type { PostgresAccess } from './server';

/** The server has this long to answer, ms. */
const ANSWER_MS = 15_000;

/**
 * Whether the server works for a session of this name: one is in a statement and does not wait for its client. It sorts,
 * builds an index, reads past dead rows or waits for a lock, and what is at the other end can only be silent.
 * `except` is the process of a session that does not count. Rejects when the server does not answer.
 */
export async function serverWorksFor(access: PostgresAccess, applicationName: string, except = 0): Promise<boolean> {
  const { tls, ...login } = access;
  const client = new Client({
    ...login,
    ssl: postgresTls(tls),
    application_name: 'derms-backup-watch',
    connectionTimeoutMillis: ANSWER_MS,
    query_timeout: ANSWER_MS,
  });
  client.on('error', () => undefined); // what it breaks rejects by itself
  try {
    await client.connect();
    const { rows } = await client.query<{ works: boolean }>(
      `select exists (select from pg_stat_activity
                       where application_name = $1 and pid <> $2 and state = 'active'
                         and wait_event_type is distinct from 'Client') as works`,
      [applicationName, except],
    );
    return rows[0]?.works === true;
  } finally {
    await client.end().catch(() => undefined);
  }
}
