import { fence, onNode, nodeLogin, untilStreams, type NodeLogin } from '../../drills/postgres/node';
import type { StartOptions } from '../../servers/child-process';
import type { PostgresServer } from '../../servers/postgres';
import { copyCluster, rewindCluster } from '../../servers/postgres-replica';
import { startPostgres } from '../postgres';
import { readToolchain } from '../toolchain';

/** For the first of a pair, beside what it is given otherwise: no slots are kept, the log of some minutes is. */
export const PAIR_SETTINGS = { wal_keep_size: '256MB', cluster_name: 'a', wal_receiver_status_interval: '1s' } as const;

export interface PostgresPair {
  readonly a: NodeLogin;
  readonly b: NodeLogin;
  /** Who is which now. */
  primary(): PairNode;
  standby(): PairNode;
  /** Makes the standby the primary; nothing is done to the old one. */
  promote(): Promise<void>;
  /** Somebody else has made the standby the primary. */
  promoted(): void;
  /** Makes the old primary, whatever became of it, a standby that streams. */
  rejoin(): Promise<void>;
  /** Wakes it up when it hangs, and fences it by SQL: nothing on it takes a write. */
  wakeAndFence(node: PairNode): Promise<void>;
  /** Ends the standby that it started; the first of the pair is ended by who started it, unless it was started anew. */
  stop(): Promise<void>;
}

export interface PairNode {
  readonly name: 'a' | 'b';
  readonly login: NodeLogin;
  readonly server: PostgresServer;
}

export interface PairOptions {
  /** A running server with `PAIR_SETTINGS`. */
  readonly first: PostgresServer;
  /** Where the copy lies. */
  readonly dataDir: string;
  /** A commit waits until the standby has it on disk. */
  readonly synchronous: boolean;
  readonly database: string;
  /** More settings, of both. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly onSpawn?: NonNullable<StartOptions['onSpawn']>;
}

const STREAMING_MS = 30_000;

/** A primary and a standby of real servers, on ports that do not change. */
export async function makePair(options: PairOptions): Promise<PostgresPair> {
  const { first, dataDir, synchronous, database, onSpawn } = options;
  const tools = readToolchain().postgres;
  const { superuser, password } = first;
  const start = (name: 'a' | 'b', folder: string, port?: number): Promise<PostgresServer> =>
    startPostgres({
      ...{ dataDir: folder, user: superuser, password, profile: 'durable' },
      settings: { ...PAIR_SETTINGS, ...options.settings, cluster_name: name },
      ...(port === undefined ? {} : { port }),
      ...(onSpawn === undefined ? {} : { onSpawn }),
    });
  const node = (name: 'a' | 'b', server: PostgresServer): PairNode => {
    const { host, port } = server;
    return { name, server, login: nodeLogin({ host, port, database, user: superuser, password }) };
  };
  const waitForStandby = async (primary: PairNode): Promise<void> => {
    const login = { ...primary.login, database: 'postgres' }; // the application's own is made later
    await untilStreams(login, STREAMING_MS);
    if (synchronous) await setSynchronous(login, true);
  };

  await copyCluster({ dataDir, source: first, tools });
  let primary = node('a', first);
  let standby = node('b', await start('b', dataDir));
  const nodes = { a: primary.login, b: standby.login };
  let startedAnew = false;
  await waitForStandby(primary);
  const swap = (): void => {
    [primary, standby] = [standby, primary];
  };

  return {
    ...nodes,
    primary: () => primary,
    standby: () => standby,
    async promote() {
      await onNode(standby.login, (client) => client.query('select pg_promote(true, 10)'));
      swap();
    },
    promoted: swap,
    async rejoin() {
      const { name, server } = standby;
      await server.stop('fast');
      await rewindCluster({ dataDir: server.dataDir, source: primary.server, tools });
      standby = node(name, await start(name, server.dataDir, server.port));
      startedAnew ||= name === 'a';
      await waitForStandby(primary);
    },
    async wakeAndFence({ server, login }) {
      server.resume();
      await onNode(login, fence);
    },
    async stop() {
      for (const { name, server } of [standby, primary]) {
        server.resume();
        if (name === 'b' || startedAnew) await server.stop('fast');
      }
    },
  };
}

/**
 * As managers of clusters do: commits wait for a standby that is there, and for none while there is none, so that the one
 * that was promoted takes writes alone.
 */
const setSynchronous = (primary: NodeLogin, on: boolean): Promise<void> =>
  onNode(primary, async (client) => {
    await client.query(`alter system set synchronous_standby_names = '${on ? '*' : ''}'`);
    await client.query('select pg_reload_conf()');
  });
