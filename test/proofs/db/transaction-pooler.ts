import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { readToolchain } from '../../../local/toolchain';
import { startChild, type ChildProcess } from '../../../servers/child-process';
import { LOOPBACK } from '../../../servers/free-port';
import { unprivilegedUser } from '../../../servers/os-user';
import { untilReady } from '../../../servers/ready';
import { toolEnvironment } from '../../../servers/tool';

export interface PoolerOptions {
  readonly folder: string;
  readonly port: number;
  /** Of PostgreSQL behind it. */
  readonly serverPort: number;
  /** The one who may log in, and ask the pooler about itself. */
  readonly user: string;
  readonly password: string;
}

/** PgBouncer as it is by default but for transaction mode: one server session serves many clients, a transaction each. */
export async function startTransactionPooler(options: PoolerOptions): Promise<ChildProcess> {
  const { folder, port, serverPort, user, password } = options;
  const tool = readToolchain().pgbouncer;
  if (tool === undefined)
    throw new Error(
      'NOT RUN: this proof needs PgBouncer. `node local/setup/setup.mjs --proofs` installs it, or says what to type',
    );
  mkdirSync(folder, { mode: 0o755 });
  const users = join(folder, 'users.txt');
  writeFileSync(users, `"${user}" "${password}"\n`);
  const file = join(folder, 'pgbouncer.ini');
  writeFileSync(
    file,
    [
      '[databases]',
      `* = host=${LOOPBACK} port=${String(serverPort)}`,
      '[pgbouncer]',
      `listen_addr = ${LOOPBACK}`,
      `listen_port = ${String(port)}`,
      'unix_socket_dir =',
      'pool_mode = transaction',
      // Fewer than the clients, so that they share.
      'default_pool_size = 5',
      'auth_type = scram-sha-256',
      `auth_file = ${users}`,
      `admin_users = ${user}`,
      '',
    ].join('\n'),
  );
  const osUser = unprivilegedUser('postgres'); // it refuses to be root
  const child = await startChild({
    name: 'PgBouncer',
    program: tool.path,
    args: [file],
    env: toolEnvironment(tool),
    logFile: join(folder, 'pgbouncer.log'),
    ...(osUser && { runAs: { uid: osUser.uid, gid: osUser.gid } }),
  });
  await untilReady(
    child,
    async () => {
      await showPools(options);
    },
    { withinMs: 15_000 },
  );
  return child;
}

/** What it says of its pools: one of a database and a user each. */
export async function showPools({ port, user, password }: Pick<PoolerOptions, 'port' | 'user' | 'password'>) {
  const client = new Client({ host: LOOPBACK, port, user, password, database: 'pgbouncer' });
  await client.connect();
  try {
    const { rows } = await client.query<{ database: string; pool_mode: string; cl_active: string; sv_idle: string }>(
      'show pools',
    );
    return rows;
  } finally {
    await client.end();
  }
}
