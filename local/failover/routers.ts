import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { startChild, type ChildProcess, type StartOptions } from '../../servers/child-process';
import { freePort, LOOPBACK } from '../../servers/free-port';
import { unprivilegedUser } from '../../servers/os-user';
import { untilReady } from '../../servers/ready';
import { toolEnvironment } from '../../servers/tool';
import { readToolchain, repositoryRoot, type InstalledTool, type Toolchain } from '../toolchain';

// HAProxy and PgBouncer with the very configuration that deploy/ ships; only addresses and paths are this machine's.

const READY_WITHIN_MS = 60_000;

export interface Router {
  readonly host: string;
  readonly port: number;
  readonly process: ChildProcess;
}

export interface HaproxyOptions {
  /** `host:port` of the two nodes, and the ports of their checks. */
  readonly nodes: readonly [string, string];
  readonly checkPorts: readonly [number, number];
  readonly folder: string;
  readonly port?: number;
  /** Another configuration than the one that is shipped: to show what that one prevents. */
  readonly config?: string;
  readonly onSpawn?: NonNullable<StartOptions['onSpawn']>;
}

export interface Haproxy extends Router {
  /** Of its admin socket, for what it has counted. */
  readonly socket: string;
}

export async function startHaproxy(options: HaproxyOptions): Promise<Haproxy> {
  const tool = installed('haproxy');
  const port = options.port ?? (await freePort());
  const socket = join(options.folder, `haproxy-${String(port)}.sock`);
  const process_ = await startChild({
    name: 'HAProxy',
    program: tool.path,
    args: ['-db', '-f', options.config ?? join(repositoryRoot(), 'deploy/haproxy/haproxy.cfg')],
    env: {
      ...toolEnvironment(tool),
      DERMS_HAPROXY_BIND: `${LOOPBACK}:${String(port)}`,
      DERMS_HAPROXY_SOCKET: socket,
      DERMS_PG_A: options.nodes[0],
      DERMS_PG_B: options.nodes[1],
      DERMS_CHECK_A: String(options.checkPorts[0]),
      DERMS_CHECK_B: String(options.checkPorts[1]),
    },
    logFile: join(options.folder, 'haproxy.log'),
    stopSignal: 'SIGUSR1', // a soft stop: it waits for nobody of ours, who are stopped before
  });
  await untilReady(process_, () => reach(port), { withinMs: READY_WITHIN_MS, ...spawned(options) });
  return { host: LOOPBACK, port, socket, process: process_ };
}

/** Files: what the pooler presents, and the authority of the servers that it knows. */
export interface PoolerTls {
  readonly certPath: string;
  readonly keyPath: string;
  readonly caPath: string;
}

export interface PgBouncerOptions {
  /** Where the primary is reached. */
  readonly server: { readonly host: string; readonly port: number };
  /** Who may log in, with passwords; the first may use its console. */
  readonly users: readonly { readonly user: string; readonly password: string }[];
  readonly folder: string;
  readonly port?: number;
  /** Without it the pooler speaks in plain, both ways; what is shipped asks for TLS. */
  readonly tls?: PoolerTls;
  /** Lines that win over those that are shipped. */
  readonly settings?: readonly string[];
  readonly onSpawn?: NonNullable<StartOptions['onSpawn']>;
}

export async function startPgBouncer(options: PgBouncerOptions): Promise<Router> {
  const tool = installed('pgbouncer');
  const port = options.port ?? (await freePort());
  const folder = join(options.folder, `pgbouncer-${String(port)}`);
  const file = writeBouncerFiles(folder, port, options);
  const osUser = unprivilegedUser('postgres'); // it refuses to be root
  const process_ = await startChild({
    name: 'PgBouncer',
    program: tool.path,
    args: [file],
    env: toolEnvironment(tool),
    logFile: join(options.folder, 'pgbouncer.log'),
    stopSignal: 'SIGTERM',
    ...(osUser && { runAs: { uid: osUser.uid, gid: osUser.gid } }),
  });
  await untilReady(process_, () => reach(port), { withinMs: READY_WITHIN_MS, ...spawned(options) });
  return { host: LOOPBACK, port, process: process_ };
}

function writeBouncerFiles(
  folder: string,
  port: number,
  { server, users, tls, settings = [] }: PgBouncerOptions,
): string {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const userList = join(folder, 'userlist.txt');
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  // Of a test's database and readable by the OS user that PgBouncer runs as, who is another than ours.
  writeFileSync(userList, users.map(({ user, password }) => `${quoted(user)} ${quoted(password)}\n`).join(''));
  const file = join(folder, 'pgbouncer.ini');
  const shipped = readFileSync(join(repositoryRoot(), 'deploy/pgbouncer/pgbouncer.ini'), 'utf8');
  const databases = ['derms', '*'].map((name) => `${name} = host=${server.host} port=${String(server.port)}`);
  const ours = [
    `listen_addr = ${LOOPBACK}`,
    `listen_port = ${String(port)}`,
    `auth_file = ${userList}`,
    `admin_users = ${users[0]?.user ?? ''}`,
    ...tlsLines(tls),
    ...settings,
  ];
  // Its last section is [pgbouncer]; of two lines of one section the later wins.
  writeFileSync(file, [shipped.replace(/^derms = .*$/m, databases.join('\n')), ...ours, ''].join('\n'));
  return file;
}

function tlsLines(tls: PoolerTls | undefined): readonly string[] {
  if (tls === undefined) return ['client_tls_sslmode = disable', 'server_tls_sslmode = disable'];
  return [
    `client_tls_cert_file = ${tls.certPath}`,
    `client_tls_key_file = ${tls.keyPath}`,
    `server_tls_ca_file = ${tls.caPath}`,
  ];
}

function installed(name: 'haproxy' | 'pgbouncer'): InstalledTool {
  const tool = readToolchain()[name as keyof Toolchain] as InstalledTool | undefined;
  if (tool === undefined) throw new Error(`NOT RUN: ${name} is not installed; node local/setup/setup.mjs --proofs`);
  return tool;
}

const spawned = ({ onSpawn }: Pick<HaproxyOptions, 'onSpawn'>): Pick<StartOptions, 'onSpawn'> =>
  onSpawn === undefined ? {} : { onSpawn };

function reach(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: LOOPBACK, port, timeout: 2_000 });
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
    socket.once('timeout', () => {
      socket.destroy();
      reject(new Error('no answer'));
    });
  });
}
