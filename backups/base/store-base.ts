import type { Client } from 'pg';
import type { BaseManifest } from '../manifest-schema';
import { silenceOf, type BackupPrograms } from '../postgres/programs';
import { applicationNameOf, postgresProgram, type PostgresAccess } from '../postgres/server';
import { withSession } from '../postgres/session';
import { serverWorksFor } from '../postgres/works-for';
import { streamProgram } from '../run-program';
import { storeObject, type StoredContent } from '../store-object';
import type { BackupVault } from '../vault';
import { readClusterFacts, type ClusterFacts } from './cluster-facts';
import { versionsOf } from './programs';

export interface StoreBasePorts extends BackupVault {
  readonly programs: BackupPrograms;
  readonly access: PostgresAccess;
}

export interface StoreBaseOrder {
  readonly key: string;
  readonly runId: string;
  readonly signal: AbortSignal;
  /** Bytes of the archive so far, of about how many. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** A base backup that is whole in storage and that nobody has looked at; JSON-safe. */
export interface StoredBase extends StoredContent {
  readonly cluster: ClusterFacts;
  readonly takenAt: string;
  readonly tools: BaseManifest['tools'];
  readonly seconds: number;
}

/**
 * Copies the whole cluster into storage while it is written to, with the log that makes the copy consistent: one tar
 * stream of pg_basebackup, as `storeObject` stores it. Only its proof makes it a backup (`prove-base.ts`).
 */
export const storeBase = (ports: StoreBasePorts, order: StoreBaseOrder): Promise<StoredBase> =>
  withSession(
    ports.access,
    order.runId,
    order.signal,
    (client) => storeIn(client, ports, order),
    ports.programs.longestSilenceMs,
  );

async function storeIn(client: Client, ports: StoreBasePorts, order: StoreBaseOrder): Promise<StoredBase> {
  const clock = performance.now();
  await holdLog(client);
  const cluster = await readClusterFacts(client);
  const { key, runId, signal } = order;
  const content = await storeObject(
    { ...ports, zstd: ports.programs.zstd, silence: silenceOf(ports.programs) },
    {
      ...{ key, signal },
      plain: (until) => clusterStream(ports, runId, until),
      onBytes: (bytes) => order.onProgress?.(bytes, cluster.bytes),
    },
  );
  return {
    ...content,
    cluster,
    takenAt: await endOf(client),
    tools: await versionsOf(ports.programs),
    seconds: Math.round(performance.now() - clock) / 1000,
  };
}

/**
 * The log that is written meanwhile goes into the archive at its end, and a busy server would have removed the first of it
 * by then. A slot keeps it; being temporary it goes with this session, also when we are killed: a slot that stays would
 * fill the server's disk.
 */
async function holdLog(client: Client): Promise<void> {
  await client.query(`select pg_create_physical_replication_slot('derms_base_' || pg_backend_pid(), true, true)`);
}

/**
 * The moment from which on it can be recovered to, by the server's clock: everything that the backup needs was written
 * before.
 */
async function endOf(client: Client): Promise<string> {
  const { rows } = await client.query<{ at: Date }>('select clock_timestamp() as at');
  const [row] = rows;
  if (row === undefined) throw new Error('the server did not say what time it is');
  return row.at.toISOString();
}

const clusterStream = (
  { programs, access }: StoreBasePorts,
  runId: string,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> =>
  streamProgram({
    ...postgresProgram(programs.postgres, 'pg_basebackup', access, applicationNameOf(runId)),
    args: [
      ...['--format=tar', '--pgdata=-', '--wal-method=fetch', '--checkpoint=fast'],
      ...[`--label=derms ${runId}`, '--no-password'],
    ],
    silence: silenceOf(programs, () => serverWorksFor(access, applicationNameOf(runId))),
    signal,
  });
