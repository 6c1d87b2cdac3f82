import type { Client } from 'pg';
import type { PostgresAccess } from './server';
import { withSession } from './session';

/** A session that holds one moment of a database for as long as a dump of it takes. */
export interface Snapshot {
  readonly client: Client;
  /** For `pg_dump --snapshot`: what it sees is what this session sees. */
  readonly snapshotId: string;
  readonly takenAt: Date;
  readonly lsn: string;
  /** Of its session on the server. */
  readonly backendPid: number;
}

/** Runs `work` while a snapshot is held, read-only; `withSession` says what else holds. */
export const withSnapshot = <T>(
  access: PostgresAccess,
  runId: string,
  signal: AbortSignal,
  work: (snapshot: Snapshot) => Promise<T>,
  silenceMs?: number,
): Promise<T> => withSession(access, runId, signal, async (client) => work(await beginSnapshot(client)), silenceMs);

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
  const { rows } = await client.query<{ id: string; at: Date; lsn: string; pid: number }>(
    `select pg_export_snapshot() as id, clock_timestamp() as at, pg_backend_pid() as pid,
            (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end)::text as lsn`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('the server gave no snapshot');
  return { client, snapshotId: row.id, takenAt: row.at, lsn: row.lsn, backendPid: row.pid };
}
