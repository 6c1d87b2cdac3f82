import { Client } from 'pg';
import { postgresTls } from '../../tls/postgres-tls';
import { applicationNameOf, type PostgresAccess } from './server';

/** A session that holds one moment of a database for as long as a dump of it takes. */
export interface Snapshot {
  readonly client: Client;
  /** For `pg_dump --snapshot`: what it sees is what this session sees. */
  readonly snapshotId: string;
  readonly takenAt: Date;
  readonly lsn: string;
}

/** The server is silent for this long before it counts as gone, ms. */
const CONNECT_MS = 15_000;

/**
 * Runs `work` while a snapshot is held, read-only. Ends first what an earlier attempt of the same run left on the server,
 * such as the backend of a worker that was killed. When `signal` fires the session is cut, which ends what runs on it.
 */
export async function withSnapshot<T>(
  access: PostgresAccess,
  runId: string,
  signal: AbortSignal,
  work: (snapshot: Snapshot) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
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
  signal.addEventListener('abort', cut, { once: true });
  try {
    await client.connect();
    await endEarlierAttempts(client, runId);
    return await work(await beginSnapshot(client));
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

/** What is read as text is the same wherever it is read: zone, format of floats, intervals and bytes are pinned. */
const PINNED = `set time zone 'UTC'; set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres';
  set extra_float_digits = 1; set bytea_output = 'hex'; set xmlbinary = 'base64';
  set search_path = pg_catalog`;

/** Makes a session print values as the hashes of a manifest were made. */
export const pinFormats = async (client: Client): Promise<void> => {
  await client.query(PINNED);
};

async function beginSnapshot(client: Client): Promise<Snapshot> {
  await pinFormats(client);
  await client.query('begin isolation level repeatable read, read only');
  const { rows } = await client.query<{ id: string; at: Date; lsn: string }>(
    `select pg_export_snapshot() as id, clock_timestamp() as at,
            (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end)::text as lsn`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('the server gave no snapshot');
  return { client, snapshotId: row.id, takenAt: row.at, lsn: row.lsn };
}

/** Closes the socket at once: `end()` would wait for the statement that runs. */
function destroySocket(client: Client): void {
  const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } }; // no public way in pg 8
  connection?.stream?.destroy();
}
