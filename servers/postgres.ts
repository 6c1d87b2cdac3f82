import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { startChild, type ChildProcess, type ExitInfo, type StartOptions } from './child-process';
import { freePort, LOOPBACK, requireFree } from './free-port';
import { canEnter, unprivilegedUser, type OsUser } from './os-user';
import { clusterMajor, makeDataFolder } from './postgres-data';
import { removeStaleLock } from './postgres-lock';
import { GiveUpError, untilReady } from './ready';
import { toolEnvironment, type PostgresTools } from './tool';

export interface PostgresOptions extends StartOptions {
  /** Made when absent (`initdb`), used again when it holds a cluster. */
  readonly dataDir: string;
  /** Exactly this port; a free one when left out. */
  readonly port?: number;
  /** The superuser. Default `derms_admin`. */
  readonly user?: string;
  /** Of the superuser. For an existing cluster it must be the one it was made with. */
  readonly password: string;
  /** `fast` gives up durability for speed: only for data that a test throws away. Default `durable`. */
  readonly profile?: 'durable' | 'fast';
  /** More lines for postgresql.conf; they win over ours. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  readonly tools: PostgresTools;
}

/** A running PostgreSQL server on 127.0.0.1; database `postgres` and the superuser are all it has to begin with. */
export interface PostgresServer extends Omit<ChildProcess, 'stop'> {
  readonly host: string;
  readonly port: number;
  readonly superuser: string;
  readonly password: string;
  /** Where the data really is; differs from what was asked for when root's folders cannot be entered. */
  readonly dataDir: string;
  /** Waits for clients (`smart`), ends their sessions (`fast`, the default), or crashes and recovers later (`immediate`). */
  stop(mode?: keyof typeof STOP_SIGNALS): Promise<ExitInfo>;
}

const STOP_SIGNALS = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;
const READY_WITHIN_MS = 60_000;

const SETTINGS = {
  max_connections: 200,
  shared_buffers: '128MB',
  // We connect over loopback only: no socket file, hence no path that could get too long (107 bytes).
  unix_socket_directories: '',
  listen_addresses: LOOPBACK,
  // Its libraries are large and not always there; our queries are too short to gain from it.
  jit: false,
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] %q%u@%d ',
};
const FAST_SETTINGS = { fsync: false, full_page_writes: false, synchronous_commit: false, wal_level: 'replica' };

/** Starts a server as a direct child of ours and returns when it answers queries. Its log is `<dataDir>.log` by default. */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const { password, tools, user = 'derms_admin', profile = 'durable' } = options;
  const osUser = unprivilegedUser('postgres');
  if (osUser && !canEnter(osUser, tools.bin)) throw new Error(`${osUser.name} cannot run the programs in ${tools.bin}`);
  const dataDir = makeDataFolder(options.dataDir, osUser);
  await makeCluster({ dataDir, user, password, profile, tools, osUser });
  checkVersion(dataDir, tools);
  const port = options.port ?? (await freePort());
  await requireFree(port);
  await removeStaleLock(dataDir);
  writeSettings(dataDir, { ...SETTINGS, ...(profile === 'fast' ? FAST_SETTINGS : {}), port, ...options.settings });

  const child = await startChild({
    name: 'PostgreSQL',
    program: join(tools.bin, 'postgres'),
    args: ['-D', dataDir],
    env: toolEnvironment(tools),
    cwd: dataDir,
    logFile: options.logFile ?? `${options.dataDir}.log`,
    stopSignal: STOP_SIGNALS.fast,
    ...(osUser && { runAs: { uid: osUser.uid, gid: osUser.gid } }),
  });
  await untilReady(child, () => query({ port, user, password }), { ...options, withinMs: READY_WITHIN_MS });
  return {
    ...child,
    host: LOOPBACK,
    port,
    superuser: user,
    password,
    dataDir,
    stop: (mode = 'fast') => child.stop({ signal: STOP_SIGNALS[mode] }),
  };
}

interface ClusterOptions {
  readonly dataDir: string;
  readonly user: string;
  readonly password: string;
  readonly profile: 'durable' | 'fast';
  readonly tools: PostgresTools;
  readonly osUser: OsUser | undefined;
}

/** `initdb` with checksums; every connection needs a password, which goes through a file and is never an argument. */
async function makeCluster({ dataDir, user, password, profile, tools, osUser }: ClusterOptions): Promise<void> {
  if (clusterMajor(dataDir) !== undefined) return;
  for (const left of readdirSync(dataDir)) rmSync(join(dataDir, left), { recursive: true }); // of an initdb cut short
  const secretFolder = mkdtempSync(join(tmpdir(), 'derms-'));
  const secretFile = join(secretFolder, randomBytes(6).toString('hex'));
  try {
    writeFileSync(secretFile, `${password}\n`, { mode: 0o600 });
    if (osUser) for (const path of [secretFile, secretFolder]) chownSync(path, osUser.uid, osUser.gid);
    const args = ['-D', dataDir, '-U', user, '-A', 'scram-sha-256', '--pwfile', secretFile];
    const more = [
      '--data-checksums',
      '--encoding',
      'UTF8',
      '--no-locale',
      ...(profile === 'fast' ? ['--no-sync'] : []),
    ];
    await promisify(execFile)(join(tools.bin, 'initdb'), [...args, ...more], {
      cwd: '/',
      env: { ...toolEnvironment(tools), LC_ALL: 'C' },
      ...(osUser && { uid: osUser.uid, gid: osUser.gid }),
    });
    appendFileSync(join(dataDir, 'postgresql.conf'), "\ninclude 'derms.conf'\n");
  } finally {
    rmSync(secretFolder, { recursive: true });
  }
}

function checkVersion(dataDir: string, tools: PostgresTools): void {
  const major = clusterMajor(dataDir);
  const { version } = tools;
  if (version === undefined || major === Number.parseInt(version, 10)) return;
  throw new Error(
    `${dataDir} was made by PostgreSQL ${String(major)}, this machine runs ${version}: start over with --fresh`,
  );
}

/** In a file of its own, so that a server started from this folder by a drill has them too. */
function writeSettings(dataDir: string, settings: Readonly<Record<string, string | number | boolean>>): void {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${String(value).replaceAll("'", "''")}'`);
  const file = join(dataDir, 'derms.conf');
  const made = !existsSync(file);
  writeFileSync(file, `# Written at each start by servers/postgres.ts.\n${lines.join('\n')}\n`);
  const osUser = made ? unprivilegedUser('postgres') : undefined;
  if (osUser) chownSync(file, osUser.uid, osUser.gid);
}

async function query({ port, user, password }: { port: number; user: string; password: string }): Promise<void> {
  const client = new Client({
    host: LOOPBACK,
    port,
    user,
    password,
    database: 'postgres',
    connectionTimeoutMillis: 2_000,
    query_timeout: 2_000,
  });
  client.on('error', () => undefined); // a server that goes away while we look: the next look tells
  try {
    await client.connect();
    await client.query('select 1');
  } catch (cause) {
    const wrongPassword = cause instanceof Error && 'code' in cause && cause.code === '28P01';
    if (!wrongPassword) throw cause;
    throw new GiveUpError('PostgreSQL refuses our password: the data is older than .local/secrets.json; use --fresh', {
      cause,
    });
  } finally {
    await client.end().catch(() => undefined);
  }
}
