import { setTimeout as sleep } from 'node:timers/promises';
import type { DrillTools } from '../../drills/drill';
import type { PostgresActs } from '../../drills/postgres/acts';
import { watchConnections, type ConnectionPeak } from '../../drills/postgres/connection-peak';
import { nodeLogin, onNode, refusedWrite, type NodeLogin } from '../../drills/postgres/node';
import { pgBouncer } from '../../drills/postgres/pooler';
import { sqlActs } from '../../drills/postgres/sql-acts';
import type { DatabaseFront } from './database-front';
import type { PairNode, PostgresPair } from './postgres-pair';

export interface LaboratoryActsOptions {
  readonly runId: string;
  readonly pair: PostgresPair;
  readonly front: DatabaseFront;
}

/** As a manager of clusters finds that a primary is lost: this many questions in a row go unanswered. */
const QUESTIONS = 3;
const QUESTION_EVERY_MS = 500;

/**
 * A failover of processes of ours. Planned, it is what production does by SQL; a killed or hung primary is noticed and
 * replaced by what stands for a manager of clusters here.
 */
export function laboratoryActs({ runId, pair, front }: LaboratoryActsOptions): PostgresActs {
  const { haproxy, pgbouncer, poolerAdmin } = front;
  const pooler = pgBouncer({ host: pgbouncer.host, port: pgbouncer.port, database: 'pgbouncer', ...poolerAdmin });
  const direct = nodeLogin({ ...pair.a, host: haproxy.host, port: haproxy.port });
  const bySql = sqlActs({
    ...{ runId, nodes: [pair.a, pair.b], pooler, direct },
    ...{ command: null, commandSwitchesOver: false },
  });
  let old: PairNode | null = null;
  let peak: ConnectionPeak | null = null;
  const lose = async (how: 'crash' | 'hung', tools: DrillTools): Promise<void> => {
    const { server, login } = pair.primary();
    tools.step(how === 'crash' ? `${login.name} is killed` : `${login.name} hangs`);
    if (how === 'crash') await server.kill();
    else server.suspend();
    await untilLost(login, tools.signal);
    tools.step(`${login.name} is given up`);
    await pair.promote();
    tools.step(`${pair.primary().login.name} is promoted`);
  };
  const before = (): PairNode => {
    if (old === null) throw new Error('the failover has not begun');
    return old;
  };
  return {
    async failOver(scenario, tools) {
      old = pair.primary();
      peak = watchConnections(pair.standby().login);
      if (scenario !== 'planned') return lose(scenario, tools);
      await bySql.failOver(scenario, tools);
      pair.promoted();
    },
    async writeOnOldPrimary() {
      const { server, login, name } = before();
      // A hung one wakes up, believes that it is the primary, and is fenced as soon as it answers.
      if (pair.standby().name === name && pair.standby().server === server && server.isRunning())
        await pair.wakeAndFence(before());
      return refusedWrite(login, runId);
    },
    async rejoin(tools) {
      tools.step(`${before().login.name} is rewound`);
      await pair.rejoin();
    },
    peakConnectionsPerSecond: () => peak?.perSecond() ?? null,
    recover: () => bySql.recover(),
    async close() {
      await peak?.stop();
      await bySql.close();
    },
  };
}

async function untilLost(node: NodeLogin, signal: AbortSignal): Promise<void> {
  for (let unanswered = 0; unanswered < QUESTIONS;) {
    const asked = performance.now();
    const answered = await onNode(node, (client) => client.query('select 1')).then(
      () => true,
      () => false,
    );
    unanswered = answered ? 0 : unanswered + 1;
    if (unanswered === QUESTIONS) return;
    await sleep(Math.max(0, QUESTION_EVERY_MS - (performance.now() - asked)), undefined, { signal });
  }
}
