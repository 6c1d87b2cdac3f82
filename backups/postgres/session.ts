import { Client } from 'pg';
import { postgresTls } from '../../tls/postgres-tls';
import { applicationNameOf, type PostgresAccess } from './server';
import { destroySocket, watchServer } from './watch-server';

/** The server is silent for this long before it counts as gone, ms. */
const CONNECT_MS = 15_000;

/**
 * Runs `work` with a session of a run's own. Ends first what an earlier attempt of the same run left on the server, such
 * as the backend of a worker that was killed. The session is cut, which ends what runs on it, when `signal` fires or
 * the server has not answered for `silenceMs`.
 */
export async function withSession<T>(
  access: PostgresAccess,
  runId: string,
  signal: AbortSignal,
  work: (client: Client) => Promise<T>,
  silenceMs?: number,
): Promise<T> {
  signal.throwIfAborted();
  const silent = new AbortController();
  const ended = AbortSignal.any([signal, silent.signal]);
  const { tls, ...login } = access;
  const client = new Client({
    ...login,
    ssl: postgresTls(tls),
    application_name: applicationNameOf(runId),
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
  });
  client.on('error', () => undefined); // what it breaks rejects by itself
  const cut = (): void => {
    destroySocket(client);
  };
  ended.addEventListener('abort', cut, { once: true });
  const endWatch = watchServer(access, (error) => silent.abort(error), silenceMs);
  try {
    await client.connect();
    await endEarlierAttempts(client, runId);
    return await work(client);
  } catch (error) {
    throw ended.aborted ? ended.reason : error;
  } finally {
    endWatch();
    ended.removeEventListener('abort', cut);
    await client.end().catch(() => undefined);
  }
}

/** Only backends of this very run, and of our own role: no other one may be ended by it. */
async function endEarlierAttempts(client: Client, runId: string): Promise<void> {
  await client.query(
    `select pg_terminate_backend(pid, 5000) from pg_stat_activity
      where application_name = $1 and usename = current_user and pid <> pg_backend_pid()`,
    [applicationNameOf(runId)],
  );
}
