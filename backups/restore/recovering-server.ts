import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { startChild, type ChildProcess } from '../../servers/child-process';
import type { OsUser } from '../../servers/os-user';
import { untilReady } from '../../servers/ready';
import { toolEnvironment, type PostgresTools } from '../../servers/tool';
import type { PostgresAccess } from '../postgres/server';

export interface RecoveryOptions {
  readonly tools: PostgresTools;
  /** The unpacked cluster. */
  readonly directory: string;
  /** Where configuration, socket and log of the recovery are made. */
  readonly workFolder: string;
  readonly superuser: string;
  readonly runAs: OsUser | undefined;
  readonly target: Date;
  readonly timeline: number | 'latest';
  readonly restoreCommand: string;
  /** What `restoreCommand` needs to know: storage and keys. */
  readonly environment: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly onSpawn: (child: ChildProcess) => void;
  /** Name of the file of the log that was fetched last. */
  readonly onFile: (name: string) => void;
}

/** A cluster that has recovered, and accepts nobody but us. */
export interface RecoveredServer {
  /** Over a socket that only we may enter. */
  readonly access: PostgresAccess;
  /** What it wrote. */
  readonly log: string;
  /** Shuts down properly, so that it starts again without recovery. */
  stop(): Promise<void>;
}

/** Recovery takes as long as the log is; the one who waits may cancel. */
const WITHIN_MS = 14 * 86_400_000;
const PORT = 5432;

/** The server ended in recovery; its log says why. */
export class RecoveryEnded extends Error {
  override readonly name = 'RecoveryEnded';

  constructor(
    readonly log: string,
    options: ErrorOptions,
  ) {
    super('the server ended in recovery', options);
  }
}

/**
 * Starts a cluster in recovery and returns when it has reached its target and is open. Nothing of its own configuration
 * counts meanwhile: no address is listened on, nothing is archived, no standby is waited for.
 *
 * @throws {RecoveryEnded} when the server gives up.
 */
export async function startRecovery(options: RecoveryOptions): Promise<RecoveredServer> {
  const { tools, directory, runAs, signal, superuser } = options;
  const files = makeFiles(options);
  const readLog = (): string => readFileSync(files.log, 'utf8');
  const child = await startChild({
    name: 'PostgreSQL',
    program: join(tools.bin, 'postgres'),
    args: ['-D', directory, ...settingsOf(options, files).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    env: { ...toolEnvironment(tools), ...options.environment },
    cwd: directory,
    logFile: files.log,
    stopSignal: 'SIGINT',
    ...(runAs && { runAs: { uid: runAs.uid, gid: runAs.gid } }),
  });
  options.onSpawn(child);
  const access = { host: files.socket, port: PORT, user: superuser, password: '', database: 'postgres' };
  try {
    await untilReady(child, () => isOpen(access, readLog(), options.onFile), { withinMs: WITHIN_MS, signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new RecoveryEnded(readLog(), { cause });
  }
  return { access, log: readLog(), stop: () => stopped(child) };
}

interface Files {
  readonly config: string;
  readonly hba: string;
  readonly ident: string;
  readonly socket: string;
  readonly log: string;
}

function makeFiles({ workFolder, superuser, runAs }: RecoveryOptions): Files {
  const path = (name: string): string => join(workFolder, name);
  const write = (name: string, text: string): string => {
    writeFileSync(path(name), text, { mode: 0o600 });
    if (runAs) chownSync(path(name), runAs.uid, runAs.gid);
    return path(name);
  };
  mkdirSync(path('s'), { mode: 0o700 });
  if (runAs) chownSync(path('s'), runAs.uid, runAs.gid);
  return {
    config: write('postgresql.conf', ''),
    hba: write('pg_hba.conf', `local all "${superuser.replaceAll('"', '""')}" trust\n`),
    ident: write('pg_ident.conf', ''),
    socket: path('s'),
    log: path('recovery.log'),
  };
}

/** On the command line, where they win over what `alter system` has left in the cluster. */
function settingsOf({ target, timeline, restoreCommand }: RecoveryOptions, files: Files): [string, string][] {
  return Object.entries({
    config_file: files.config,
    hba_file: files.hba,
    ident_file: files.ident,
    listen_addresses: '',
    unix_socket_directories: files.socket,
    port: String(PORT),
    ssl: 'off',
    logging_collector: 'off',
    log_destination: 'stderr',
    lc_messages: 'C', // we read what it says
    log_timezone: 'UTC',
    // Two clusters that write to one archive under one identifier spoil it for both.
    archive_mode: 'off',
    primary_conninfo: '',
    synchronous_standby_names: '',
    shared_preload_libraries: '',
    max_prepared_transactions: '1000',
    // Nobody may look before the end, so no setting has to be as large as it was there.
    hot_standby: 'off',
    restore_command: restoreCommand,
    recovery_target: '',
    recovery_target_lsn: '',
    recovery_target_name: '',
    recovery_target_xid: '',
    // A setting is read before zones have names: `Z` is not understood.
    recovery_target_time: target.toISOString().replace('T', ' ').replace('Z', '+00'),
    recovery_target_inclusive: 'on',
    recovery_target_timeline: String(timeline),
    recovery_target_action: 'promote',
  });
}

async function isOpen(access: PostgresAccess, log: string, onFile: (name: string) => void): Promise<void> {
  const last = [...log.matchAll(/restored log file "([^"]+)" from archive/g)].at(-1)?.[1];
  if (last !== undefined) onFile(last);
  if (!log.includes('database system is ready to accept connections')) throw new Error('it is in recovery');
  const client = new Client({ ...access, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  await client.connect();
  await client.end();
}

async function stopped(child: ChildProcess): Promise<void> {
  const { code } = await child.stop({ graceMs: 600_000 }); // it writes a checkpoint
  if (code !== 0) throw new Error(`the recovered server did not shut down properly (exit code ${String(code)})`);
}
