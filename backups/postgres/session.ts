import type { Client } from 'pg';
import { withClient } from '../restore/admin-client';
import { applicationNameOf, type PostgresAccess } from './server';

/**
 * Runs `work` with a session of a run's own. Ends first what an earlier attempt of the same run left on the server, such
 * as the backend of a worker that was killed. The session is cut, which ends what runs on it, when `signal` fires or
 * the server has not answered for `silenceMs`.
 */
export const withSession = <T>(
  access: PostgresAccess,
  runId: string,
  signal: AbortSignal,
  work: (client: Client) => Promise<T>,
  silenceMs?: number,
): Promise<T> =>
  withClient(
    access,
    applicationNameOf(runId),
    async (client) => {
      await endEarlierAttempts(client, runId);
      return work(client);
    },
    { signal, ...(silenceMs === undefined ? {} : { silenceMs }) },
  );

/** Only backends of this very run, and of our own role: no other one may be ended by it. */
async function endEarlierAttempts(client: Client, runId: string): Promise<void> {
  await client.query(
    `select pg_terminate_backend(pid, 5000) from pg_stat_activity
      where application_name = $1 and usename = current_user and pid <> pg_backend_pid()`,
    [applicationNameOf(runId)],
  );
}
