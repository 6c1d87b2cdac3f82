import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { unprivilegedUser } from './os-user';
import { makeDataFolder } from './postgres-data';
import { toolEnvironment, type PostgresTools } from './tool';

/** A running server to stream from, and its superuser. */
export interface StreamSource {
  readonly host: string;
  readonly port: number;
  readonly superuser: string;
  readonly password: string;
}

export interface ReplicaOptions {
  readonly dataDir: string;
  readonly source: StreamSource;
  readonly tools: PostgresTools;
}

/** Makes a copy of a running cluster that streams from it once it is started, in a third of a second. */
export async function copyCluster({ dataDir, source, tools }: ReplicaOptions): Promise<void> {
  const real = makeDataFolder(dataDir, unprivilegedUser('postgres'));
  const from = ['-h', source.host, '-p', String(source.port), '-U', source.superuser];
  const how = ['-X', 'stream', '--checkpoint=fast', '--write-recovery-conf', '--no-password'];
  await run('pg_basebackup', ['-D', real, ...from, ...how], { source, tools });
}

/**
 * Makes a stopped or killed primary a standby of the one that was promoted in its place: what it alone has written is
 * taken back. The source makes a checkpoint first: before that its control file still has the old timeline, and pg_rewind
 * of versions before 16 says that there is nothing to do.
 */
export async function rewindCluster({ dataDir, source, tools }: ReplicaOptions): Promise<void> {
  await checkpoint(source);
  const server = `host=${source.host} port=${String(source.port)} user=${source.superuser} dbname=postgres`;
  const args = [`--target-pgdata=${dataDir}`, `--source-server=${server}`, '--write-recovery-conf'];
  await run('pg_rewind', args, { source, tools });
}

async function checkpoint({ host, port, superuser: user, password }: StreamSource): Promise<void> {
  const client = new Client({ host, port, user, password, database: 'postgres', connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined); // the statement rejects with it
  await client.connect();
  try {
    await client.query('checkpoint');
  } finally {
    await client.end();
  }
}

/** The password is in that process's environment, never among its arguments; it lands in the standby's own settings. */
async function run(
  program: string,
  args: readonly string[],
  { source, tools }: Pick<ReplicaOptions, 'source' | 'tools'>,
): Promise<void> {
  const osUser = unprivilegedUser('postgres');
  await promisify(execFile)(join(tools.bin, program), args, {
    cwd: '/',
    env: { ...toolEnvironment(tools), LC_ALL: 'C', PGPASSWORD: source.password },
    ...(osUser && { uid: osUser.uid, gid: osUser.gid }),
  });
}
