import { Client } from 'pg';
import { postgresTls } from '../../tls/postgres-tls';
import type { PostgresAccess } from '../postgres/server';
import { destroySocket, watchServer } from '../postgres/watch-server';

const CONNECT_MS = 15_000;

interface ClientLimits {
  /** When it fires the connection is cut, and what runs on it rejects with its reason. */
  readonly signal?: AbortSignal;
  /** The connection is cut too when the server does not answer for this long. */
  readonly silenceMs?: number;
}

/**
 * One connection for the time of `work`; it is closed whatever comes of it.
 *
 * @throws {DermsError} `TIMED_OUT` when the server hangs.
 */
export async function withClient<T>(
  access: PostgresAccess,
  applicationName: string,
  work: (client: Client) => Promise<T>,
  { signal, silenceMs }: ClientLimits = {},
): Promise<T> {
  const { host, port, database, user, password, tls } = access;
  const client = new Client({
    ...{ host, port, database, user, password, ssl: postgresTls(tls) },
    connectionTimeoutMillis: CONNECT_MS,
    application_name: applicationName,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
  });
  client.on('error', () => undefined); // a connection that breaks rejects the query on it
  const silent = new AbortController();
  const ended = signal === undefined ? silent.signal : AbortSignal.any([signal, silent.signal]);
  ended.throwIfAborted();
  const cut = (): void => {
    destroySocket(client);
  };
  ended.addEventListener('abort', cut, { once: true });
  const endWatch = watchServer(access, (error) => silent.abort(error), silenceMs);
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    throw ended.aborted ? ended.reason : error;
  } finally {
    endWatch();
    ended.removeEventListener('abort', cut);
    await client.end().catch(() => undefined);
  }
}
