import { Client } from 'pg';
import { applicationNameOf, type PostgresAccess } from './server';

/** The server is silent for this long before it counts as gone, ms. */
const CONNECT_MS = 15_000;

/**
 * Runs `work` with a session of a run's own. Ends first what an earlier attempt of the same run left on the server, such
 * as the backend of a worker that was killed. When `signal` fires the session is cut, which ends what runs on it.
 */
export async function withSession<T>(
  access: PostgresAccess,
  runId: string,
  signal: AbortSignal,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const client = new Client({
    ...access,
    application_name: applicationNameOf(runId),
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
  });
  client.on('error', () => undefined); // what it breaks rejects by itself
  const cut = (): void => {
    destroySocket(client);
  };
  signal.addEventListener('abort', cut, { once: true });
  try {
    await client.connect();
    await endEarlierAttempts(client, runId);
    return await work(client);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener('abort', cut);
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

/** Closes the socket at once: `end()` would wait for the statement that runs. */
function destroySocket(client: Client): void {
  const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } }; // no public way in pg 8
  connection?.stream?.destroy();
}
