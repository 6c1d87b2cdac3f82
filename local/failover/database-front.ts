import { join } from 'node:path';
import type { StartOptions } from '../../servers/child-process';
import { choosePortRange, freePort, LOOPBACK } from '../../servers/free-port';
import { untilReady } from '../../servers/ready';
import { startChild, type ChildProcess } from '../../servers/child-process';
import type { Environment } from '../environments';
import { repositoryRoot } from '../toolchain';
import type { PostgresPair } from './postgres-pair';
import { startHaproxy, startPgBouncer, type Haproxy, type PoolerTls, type Router } from './routers';

/** The whole road of production before a pair: primary check, HAProxy, PgBouncer. */
export interface DatabaseFront {
  readonly haproxy: Haproxy;
  readonly pgbouncer: Router;
  readonly check: ChildProcess;
  /** Starts the check anew, on what it has written down; `stop` ends it too. */
  startCheck(): Promise<{ answers(): Promise<number[]> }>;
  /** What our programs are told. */
  readonly env: Environment;
  /** An admin of the pooler. */
  readonly poolerAdmin: { readonly user: string; readonly password: string };
  stop(): Promise<void>;
}

export interface FrontOptions {
  readonly pair: PostgresPair;
  readonly folder: string;
  /** The application's role: it exists by the time that the check logs in. */
  readonly application: { readonly user: string; readonly password: string };
  /** Compiled programs. */
  readonly dist?: string;
  /** Of the pooler, and for the check; without it everything is in plain. */
  readonly tls?: PoolerTls;
  readonly onSpawn?: NonNullable<StartOptions['onSpawn']>;
}

const POOLER_ADMIN = { user: 'derms_pooler', password: 'of-a-laboratory' };
const READY_WITHIN_MS = 60_000;
const CHECK_PORTS_FROM = 20_000;
const CHECK_PORTS_SPREAD = 10_000;

/** Everything is ready when it returns but the way through: that opens when the application's role can log in. */
export async function startDatabaseFront(options: FrontOptions): Promise<DatabaseFront> {
  const { pair, folder, application } = options;
  const spawned = options.onSpawn === undefined ? {} : { onSpawn: options.onSpawn };
  const first = CHECK_PORTS_FROM + Math.floor(Math.random() * CHECK_PORTS_SPREAD);
  const { port: checkPort } = await choosePortRange(2, first);
  const statuses = (): Promise<number[]> => Promise.all([checkPort, checkPort + 1].map(statusOf));
  const check = await startCheck(options, checkPort, async () => {
    if (!(await statuses()).includes(200)) throw new Error('the primary is not known yet');
  });
  let another: ChildProcess | undefined;
  const haproxy = await startHaproxy({
    nodes: [pair.a.name, pair.b.name],
    checkPorts: [checkPort, checkPort + 1],
    folder,
    ...spawned,
  });
  const pgbouncer = await startPgBouncer({
    server: haproxy,
    users: [POOLER_ADMIN, application],
    folder,
    port: await freePort(),
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    ...spawned,
  });
  return {
    ...{ haproxy, pgbouncer, check, poolerAdmin: POOLER_ADMIN },
    env: {
      DB_HOST: pgbouncer.host,
      DB_PORT: String(pgbouncer.port),
      DB_DIRECT_HOST: haproxy.host,
      DB_DIRECT_PORT: String(haproxy.port),
    },
    async startCheck() {
      another = await startCheck(options, checkPort, async () => {
        await statuses();
      });
      return { answers: statuses };
    },
    async stop() {
      await pgbouncer.process.stop({ graceMs: 1_000 });
      await haproxy.process.stop({ graceMs: 1_000 });
      await check.stop();
      await another?.stop();
    },
  };
}

/** Logs in as the superuser until there is another role: a front stands before the schema is made. */
async function startCheck(
  { pair, folder, dist, tls, onSpawn }: FrontOptions,
  port: number,
  ready: () => Promise<void>,
): Promise<ChildProcess> {
  const check = await startChild({
    name: 'primary check',
    program: process.execPath,
    args: [join(dist ?? join(repositoryRoot(), 'dist'), 'db/primary-check-main.js')],
    env: {
      PATH: process.env['PATH'],
      DB_NAME: 'postgres',
      DB_USER: pair.a.user,
      DB_PASSWORD: pair.a.password,
      ...(tls === undefined ? {} : { DB_SSLMODE: 'verify-full', DB_SSL_CA_PATH: tls.caPath }),
      PRIMARY_CHECK_NODES: `a=${pair.a.name},b=${pair.b.name}`,
      PRIMARY_CHECK_PORT: String(port),
      PRIMARY_CHECK_FILE: join(folder, 'primary-check.json'),
    },
    cwd: folder,
    logFile: join(folder, 'primary-check.log'),
  });
  await untilReady(check, ready, { withinMs: READY_WITHIN_MS, ...(onSpawn === undefined ? {} : { onSpawn }) });
  return check;
}

const statusOf = async (port: number): Promise<number> =>
  (await fetch(`http://${LOOPBACK}:${String(port)}/`, { signal: AbortSignal.timeout(1_000) })).status;
