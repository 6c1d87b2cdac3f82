import { setTimeout as sleep } from 'node:timers/promises';
import type { PostgresLogin } from '../../config/postgres-url';
import { onNode } from './node';

export interface ConnectionPeak {
  /** Connections that were opened in the busiest second so far. */
  perSecond(): number;
  stop(): Promise<void>;
}

const EVERY_MS = 200;

/** Counts the connections that a node is opened, by when each says that it began; those shorter than a look are missed. */
export function watchConnections(node: PostgresLogin): ConnectionPeak {
  const begun = new Map<string, number>();
  let stopped = false;
  const look = (): Promise<void> =>
    onNode(node, async (client) => {
      while (!stopped) {
        const { rows } = await client.query<{ pid: number; begun_ms: number }>(
          `select pid, extract(epoch from backend_start)::double precision * 1000 as begun_ms
             from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`,
        );
        for (const { pid, begun_ms } of rows) begun.set(`${String(pid)} ${String(begun_ms)}`, begun_ms);
        await sleep(EVERY_MS);
      }
    });
  const looking = (async () => {
    while (!stopped) {
      await look().catch(() => undefined); // it is being promoted, or restarted: the next look tells
      await sleep(EVERY_MS);
    }
  })();
  return {
    perSecond: () => busiestSpan([...begun.values()], 1_000),
    async stop() {
      stopped = true;
      await looking;
    },
  };
}

/** Most moments within any span of that length, its end not included. */
export function busiestSpan(momentsMs: readonly number[], spanMs: number): number {
  const sorted = [...momentsMs].sort((a, b) => a - b);
  let first = 0;
  let most = 0;
  for (const [index, moment] of sorted.entries()) {
    while (moment - (sorted[first] ?? moment) >= spanMs) first += 1;
    most = Math.max(most, index - first + 1);
  }
  return most;
}
