import type { Client } from 'pg';
import { readNodeState } from '../../db/node-state';
import { destroySocket } from '../../db/pool-client';
import { runActCommand } from '../act-command';
import type { DrillTools } from '../drill';
import type { FailoverScenario, PostgresActs } from './acts';
import { watchConnections, type ConnectionPeak } from './connection-peak';
import {
  fence,
  onNode,
  openSession,
  refusedWrite,
  rolesOf,
  unfence,
  until,
  untilStreams,
  valueOf,
  type NodeLogin,
} from './node';
import type { Pooler } from './pooler';

export interface SqlActsOptions {
  readonly runId: string;
  /** Every node, each with a role that may promote and fence it. */
  readonly nodes: readonly NodeLogin[];
  /** null: queries that come in between fail. */
  readonly pooler: Pooler | null;
  /**
   * An operator's own program, asked for what SQL cannot do: `crash`, `hung` and `rejoin`, with the names of the old
   * primary and the standby; `planned` too when `commandSwitchesOver`. Null: a planned switchover only, and the old
   * primary is expected to come back by itself.
   */
  readonly command: readonly string[] | null;
  readonly commandSwitchesOver: boolean;
  /** The road of new sessions to the primary (`DB_DIRECT_HOST`), looked at before the pooler goes on. */
  readonly direct: NodeLogin;
}

const COMMAND_MS = 120_000;
const PAUSE_MS = 2_000;
/** The standby has nothing left to replay. */
const CAUGHT_UP_MS = 5_000;
const ROUTED_MS = 5_000;
const REJOIN_MS = 120_000;
const PROMOTE_SECONDS = 10;

/** A failover by what every PostgreSQL understands, and by a program of the operator's where that does not reach. */
export function sqlActs(options: SqlActsOptions): PostgresActs {
  const { runId, nodes, pooler, command, direct } = options;
  let roles: { readonly primary: NodeLogin; readonly standby: NodeLogin } | null = null;
  let peak: ConnectionPeak | null = null;
  const known = (): NonNullable<typeof roles> => {
    if (roles === null) throw new Error('the failover has not begun');
    return roles;
  };
  const ask = (what: string, { signal }: DrillTools): Promise<void> => {
    if (command === null) throw new Error(`${what} needs POSTGRES_DRILL_COMMAND: SQL alone cannot do it`);
    const { primary, standby } = known();
    return runActCommand({ words: command, withinMs: COMMAND_MS }, [what, primary.name, standby.name], signal);
  };

  const switchOver = async (tools: DrillTools): Promise<void> => {
    const { primary, standby } = known();
    // Sessions first: while the pooler pauses, every millisecond is somebody's.
    const old = await openSession(primary);
    const next = await openSession(standby);
    try {
      if (pooler !== null) await pooler.pause(PAUSE_MS);
      tools.step('the pooler pauses');
      await fence(old);
      tools.step(`${primary.name} is fenced`);
      await caughtUp(old, next, standby.name);
      await promote(next, standby.name);
      tools.step(`${standby.name} is promoted`);
      await until(() => leadsTo(direct, next), ROUTED_MS, `${direct.name} did not lead to ${standby.name}`);
    } finally {
      await pooler?.resume();
      destroySocket(old);
      destroySocket(next);
    }
    tools.step('new sessions reach it, and the pooler goes on');
  };

  return {
    async failOver(scenario: FailoverScenario, tools) {
      roles = await rolesOf(nodes);
      peak = watchConnections(roles.standby);
      if (scenario === 'planned' && !options.commandSwitchesOver) return switchOver(tools);
      tools.step(`asked for ${scenario} of ${roles.primary.name}`);
      return ask(scenario, tools);
    },
    writeOnOldPrimary: () => refusedWrite(known().primary, runId),
    async rejoin(tools) {
      const { standby } = known();
      if (command !== null) await ask('rejoin', tools);
      await untilStreams(standby, REJOIN_MS);
    },
    peakConnectionsPerSecond: () => peak?.perSecond() ?? null,
    async recover() {
      await pooler?.resume();
      await unfenceLonePrimary(nodes);
    },
    close: async () => peak?.stop(),
  };
}

/** Waits until everything that the old primary has written is there: it is fenced, so that is not much. */
async function caughtUp(primary: Client, standby: Client, name: string): Promise<void> {
  const end = await valueOf<string>(primary, 'select pg_current_wal_lsn()::text');
  await until(
    () => valueOf<boolean>(standby, 'select pg_last_wal_replay_lsn() >= $1::pg_lsn', [end]),
    CAUGHT_UP_MS,
    `${name} has not replayed all that the old primary wrote`,
  );
}

async function promote(standby: Client, name: string): Promise<void> {
  const promoted = await valueOf<boolean>(standby, 'select pg_promote(true, $1)', [PROMOTE_SECONDS]);
  if (!promoted) throw new Error(`${name} was not promoted within ${String(PROMOTE_SECONDS)} s`);
}

/**
 * Whether new sessions by that road are on that node: same start, which no two servers share. Several in a row: for a few
 * checks of its own a road may lead to both nodes in turn.
 */
async function leadsTo(road: NodeLogin, node: Client): Promise<boolean> {
  const started = 'select pg_postmaster_start_time()::text';
  const wanted = await valueOf<string>(node, started);
  for (let look = 0; look < LOOKS_IN_A_ROW; look += 1) {
    const there = await onNode(road, (client) => valueOf<string>(client, started)).catch(() => null); // not routed yet
    if (there !== wanted) return false;
  }
  return true;
}

/** Of two in turn, two are enough; one more for a session that a check comes between. */
const LOOKS_IN_A_ROW = 3;

/** Fenced and nobody promoted: it is the primary still. Nodes that do not answer say nothing. */
async function unfenceLonePrimary(nodes: readonly NodeLogin[]): Promise<void> {
  const seen = await Promise.all(
    nodes.map((node) =>
      onNode(node, (client) => readNodeState(client)).then(
        ({ state }) => ({ node, state }),
        () => ({ node, state: 'unreachable' as const }),
      ),
    ),
  );
  const [lone, another] = seen.filter(({ state }) => state !== 'standby');
  if (lone?.state === 'fenced' && another === undefined) await unfence(lone.node);
}
