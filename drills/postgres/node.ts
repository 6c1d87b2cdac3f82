import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type QueryResultRow } from 'pg';
import type { PostgresLogin } from '../../config/postgres-url';
import { readNodeState } from '../../db/node-state';
import { destroySocket } from '../../db/pool-client';
import { postgresTls } from '../../tls/postgres-tls';

/** Where a node itself answers, past every router, and a role that may promote and fence it. */
export interface NodeLogin extends PostgresLogin {
  /** In messages: `host:port`. */
  readonly name: string;
}

export const nodeLogin = (login: PostgresLogin): NodeLogin => ({
  ...login,
  name: `${login.host}:${String(login.port)}`,
});

const CONNECT_MS = 1_000;
const QUERY_MS = 5_000;
const GONE_MS = 3_000;

/** What our own sessions call themselves: a fence leaves them. */
const APPLICATION = 'derms-drill';

/** A session on a node; one that hangs rejects within seconds. Who opens it ends it. */
export async function openSession(node: PostgresLogin): Promise<Client> {
  const { host, port, database, user, password, tls } = node;
  const client = new Client({
    ...{ host, port, database, user, password, ssl: postgresTls(tls) },
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: QUERY_MS,
    application_name: APPLICATION,
  });
  client.on('error', () => undefined); // a connection that breaks rejects the query on it
  try {
    await client.connect();
  } catch (error) {
    destroySocket(client);
    throw error;
  }
  return client;
}

/** One session for the time of `work`. */
export async function onNode<T>(node: PostgresLogin, work: (client: Client) => Promise<T>): Promise<T> {
  const client = await openSession(node);
  try {
    return await work(client);
  } finally {
    destroySocket(client);
  }
}

/** The first column of the first row. */
export async function valueOf<T>(client: Client, sql: string, values: unknown[] = []): Promise<T> {
  const { rows } = await client.query<QueryResultRow>({ text: sql, values, rowMode: 'array' } as never);
  return (rows as unknown as T[][])[0]?.[0] as T; // one row of one column, as the caller has written it
}

/** Who is primary and who standby now. @throws when that is not one of each. */
export async function rolesOf(nodes: readonly NodeLogin[]): Promise<{ primary: NodeLogin; standby: NodeLogin }> {
  const seen = await Promise.all(
    nodes.map(async (node) => ({ node, ...(await onNode(node, (client) => readNodeState(client))) })),
  );
  const primaries = seen.filter(({ state }) => state !== 'standby');
  const standby = seen.find(({ state }) => state === 'standby');
  const [primary] = primaries;
  if (primary === undefined || primaries.length > 1 || standby === undefined)
    throw new Error(
      `a drill needs one primary and a standby: ${seen.map(({ node, state }) => `${node.name} is ${state}`).join(', ')}`,
    );
  return { primary: primary.node, standby: standby.node };
}

/**
 * From now on the node refuses every write, and everybody who was there has gone: what they were told is in its log. A
 * setting of that node alone, which pg_rewind overwrites and `unfence` takes back.
 */
export async function fence(client: Client): Promise<void> {
  await client.query('alter system set default_transaction_read_only = on');
  await client.query('select pg_reload_conf()');
  const others = `from pg_stat_activity where backend_type = 'client backend' and application_name <> '${APPLICATION}'`;
  await until(
    // Those that came in before the setting was read are sent away too.
    async () => (await valueOf<number>(client, `select count(pg_terminate_backend(pid))::integer ${others}`)) === 0,
    GONE_MS,
    'sessions of others are still on the node that is to be fenced',
  );
}

export const unfence = (node: PostgresLogin): Promise<void> =>
  onNode(node, async (client) => {
    await client.query('alter system reset default_transaction_read_only');
    await client.query('select pg_reload_conf()');
  });

/** How the node refuses a write. @throws when it takes it. */
export async function refusedWrite(node: NodeLogin, runId: string): Promise<string> {
  try {
    await onNode(node, (client) => client.query('insert into drill_canary (run_id, seq) values ($1, -1)', [runId]));
  } catch (error) {
    const { code } = error as { code?: string };
    return `${code ?? ''} ${error instanceof Error ? error.message : String(error)}`.trim();
  }
  throw new Error(`${node.name} has taken a write`);
}

/** Resolves when a standby of it has replayed all that it has written by now; one that only tries again and again has not. */
export const untilStreams = (primary: NodeLogin, withinMs: number): Promise<void> =>
  onNode(primary, async (client) => {
    const end = await valueOf<string>(client, 'select pg_current_wal_lsn()::text');
    const followed = `select count(*) > 0 from pg_stat_replication where state = 'streaming' and replay_lsn >= $1::pg_lsn`;
    await until(() => valueOf<boolean>(client, followed, [end]), withinMs, `nobody streams from ${primary.name}`);
  });

const LOOK_EVERY_MS = 20;

/** @throws with `otherwise` when it does not come true in time. */
export async function until(holds: () => Promise<boolean>, withinMs: number, otherwise: string): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${otherwise} within ${String(withinMs)} ms`);
    await sleep(LOOK_EVERY_MS);
  }
}
