import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { startChild, type ChildProcess, type StartOptions } from './child-process';
import { freePort, LOOPBACK, requireFree } from './free-port';
import type { OsUser } from './os-user';
import { reach } from './reach';
import { untilReady } from './ready';
import { toolEnvironment, type Tool } from './tool';

export interface BrokerUser {
  readonly username: string;
  readonly password: string;
}

export interface MosquittoOptions extends StartOptions {
  /** Holds the configuration, the passwords' hashes and the store; made when absent. */
  readonly dataDir: string;
  /** Exactly this port; a free one when left out. */
  readonly port?: number;
  /** With users every client must give one of their passwords; without, everybody may connect. */
  readonly users?: readonly BrokerUser[];
  /** Lines of an access list (`acl_file`): who may read and write which topics. Default: every user everything. */
  readonly acl?: readonly string[];
  /** More lines for mosquitto.conf, after ours. */
  readonly config?: readonly string[];
  /** Only root may ask for one; it must be able to enter `dataDir`, which is given to it. Default: runs as we do. */
  readonly runAs?: OsUser;
  readonly tool: Tool;
}

/** A running broker on 127.0.0.1. `stop()` makes it save its store first; what `kill()` loses is up to 60 s old. */
export interface MosquittoBroker extends ChildProcess {
  readonly host: string;
  readonly port: number;
  /** Where it keeps sessions, queues and retained messages, written each 60 s and when it stops. */
  readonly storeFile: string;
  /** Holds its process id while it runs. */
  readonly pidFile: string;
}

const READY_WITHIN_MS = 15_000;
const GIB = 1024 ** 3;
const STORE = 'mosquitto.db';
const PID = 'mosquitto.pid';

/** Starts a broker as a direct child of ours and returns when it accepts clients. Its log is `<dataDir>.log` by default. */
export async function startMosquitto(options: MosquittoOptions): Promise<MosquittoBroker> {
  const { dataDir, tool, users = [] } = options;
  const port = options.port ?? (await freePort());
  await requireFree(port);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const configuration = writeConfiguration({ ...options, port });
  if (options.runAs) giveTo(options.runAs, dataDir);
  const child = await startChild({
    name: 'Mosquitto',
    program: tool.path,
    args: ['-c', configuration],
    env: toolEnvironment(tool),
    cwd: dataDir,
    logFile: options.logFile ?? `${dataDir}.log`,
    ...(options.runAs && { runAs: options.runAs }),
  });
  const user = users[0];
  const probe = (): Promise<void> => (user ? signIn(port, user) : reach(port));
  await untilReady(child, probe, { ...options, withinMs: READY_WITHIN_MS });
  return { ...child, host: LOOPBACK, port, ...brokerFiles(dataDir) };
}

/** Where a broker of ours keeps its store and its process id. */
export function brokerFiles(dataDir: string): Pick<MosquittoBroker, 'storeFile' | 'pidFile'> {
  return { storeFile: join(dataDir, STORE), pidFile: join(dataDir, PID) };
}

/**
 * Mosquitto's defaults drop messages: 1,000 waiting per client, 20 in flight, a store written each half hour. Ours
 * follow what was measured: no bound on the number waiting, 1 GiB per client on their bytes (about 2.5 million
 * messages of telemetry), 2,000 in flight, a save each minute.
 */
function writeConfiguration({
  dataDir,
  users = [],
  acl,
  config = [],
  port,
}: MosquittoOptions & { port: number }): string {
  const lines = [
    '# Written at each start by servers/mosquitto.ts.',
    `listener ${String(port)} ${LOOPBACK}`,
    `allow_anonymous ${String(users.length === 0)}`,
    ...(users.length > 0 ? [`password_file ${writeBrokerPasswords(dataDir, users)}`] : []),
    ...(acl ? [`acl_file ${writeSecret(dataDir, 'acl', acl)}`] : []),
    // Started as root it would become user `mosquitto`, who may not be able to enter the checkout.
    ...(process.getuid?.() === 0 ? ['user root'] : []),
    `pid_file ${join(dataDir, PID)}`,
    'persistence true',
    `persistence_location ${dataDir}/`,
    `persistence_file ${STORE}`,
    'autosave_interval 60',
    // Sessions of clients that never come back.
    'persistent_client_expiration 7d',
    'max_queued_messages 0',
    `max_queued_bytes ${String(GIB)}`,
    'max_inflight_messages 2000',
    // Twice the longest telemetry that a device may send is far less: a bigger packet ends its sender's connection.
    `max_packet_size ${String(1024 ** 2)}`,
    'set_tcp_nodelay true',
    'log_dest stderr',
    ...['error', 'warning', 'notice'].map((type) => `log_type ${type}`),
    'log_timestamp_format %Y-%m-%dT%H:%M:%S',
    ...config,
  ];
  return writeSecret(dataDir, 'mosquitto.conf', lines);
}

/** Its users' passwords; a running broker reads them again at SIGHUP, and hangs up on who has none of them. Returns the file. */
export const writeBrokerPasswords = (dataDir: string, users: readonly BrokerUser[]): string =>
  writeSecret(dataDir, 'passwords', users.map(brokerPasswordLine));

function giveTo({ uid, gid }: OsUser, folder: string): void {
  for (const name of readdirSync(folder)) chownSync(join(folder, name), uid, gid);
  chownSync(folder, uid, gid);
}

function writeSecret(folder: string, name: string, lines: readonly string[]): string {
  const file = join(folder, name);
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  return file;
}

/** As `mosquitto_passwd` writes it (PBKDF2 with SHA-512), which is not on every machine that has the broker. */
export function brokerPasswordLine({ username, password }: BrokerUser): string {
  const iterations = 101;
  const salt = randomBytes(12);
  const hash = pbkdf2Sync(password, salt, iterations, 64, 'sha512');
  return `${username}:$7$${String(iterations)}$${salt.toString('base64')}$${hash.toString('base64')}`;
}

/** Connects as a real client does: a port that answers may be somebody else's. */
async function signIn(port: number, { username, password }: BrokerUser): Promise<void> {
  const client = await connectAsync(`mqtt://${LOOPBACK}:${String(port)}`, {
    username,
    password,
    protocolVersion: 5,
    connectTimeout: 2_000,
    reconnectPeriod: 0,
  });
  await client.endAsync(true);
}
