import { setTimeout as sleep } from 'node:timers/promises';
import {
  readLiveSteps,
  readLongTransactions,
  readLoopPosition,
  readMessageRates,
  readRefusedSenders,
  readStatementTotals,
  statementsBetween,
  type LiveSteps,
  type LongTransaction,
  type LoopPosition,
  type MessageRate,
  type RefusedSender,
  type StatementTotal,
} from '../db/loop-figures';
import type { Database } from '../db/pool';
import type { PolicyNumbers } from '../db/tree-snapshot';
import { rehearseCycles, type RehearsedCycles } from './rehearse-cycles';

export interface LoopProfile {
  readonly rootFeederId: string;
  readonly intervalSeconds: number;
  readonly cycle: number;
  readonly watchedSeconds: number;
  readonly live: LiveSteps;
  readonly rehearsed: RehearsedCycles;
  /** null: `pg_stat_statements` is not there, or not ours to see. */
  readonly busiestStatements: readonly StatementTotal[] | null;
  readonly longTransactions: readonly LongTransaction[];
  readonly feeders: readonly MessageRate[];
  readonly devices: readonly MessageRate[];
  readonly refused: readonly RefusedSender[];
}

const ROUNDS = 5;
const SHOWN = 5;
const RATES_SHOWN = 20;

/**
 * Watches a live loop for `seconds`, with the rights of the application's role and nothing else: the database alone is
 * asked. @throws {Error} when there is no such loop.
 */
export async function profileLoop(
  db: Database,
  policy: Omit<PolicyNumbers, 'setpointTtlSeconds'>,
  { feederId, seconds }: { readonly feederId?: string | undefined; readonly seconds: number },
): Promise<LoopProfile> {
  const position = async (of = feederId): Promise<LoopPosition> => {
    const found = await readLoopPosition(db, of);
    if (found !== null) return found;
    throw new Error(of === undefined ? 'no loop has ever planned' : `no loop has ever planned the tree of ${of}`);
  };
  const { rootFeederId, intervalSeconds, cycle } = await position();
  const before = await readStatementTotals(db);
  const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, (seconds * 1_000) / ROUNDS));
  const { result: rehearsed, longTransactions } = await watchingTransactions(db, () =>
    rehearseCycles(db, policy, () => position(rootFeederId), { ...{ rounds: ROUNDS, slowest: SHOWN }, pause }),
  );
  const after = await readStatementTotals(db);
  // Of a few seconds too little would be seen of cycles that are ten apart.
  const lookedBack = Math.max(seconds, 10 * intervalSeconds);
  const rates = { seconds, rootFeederId, most: RATES_SHOWN };
  return {
    ...{ rootFeederId, intervalSeconds, cycle, watchedSeconds: seconds },
    live: await readLiveSteps(db, rootFeederId, lookedBack),
    rehearsed,
    busiestStatements: before === null || after === null ? null : statementsBetween(before, after, SHOWN),
    longTransactions,
    feeders: await readMessageRates(db, { ...rates, by: 'feeder' }),
    devices: await readMessageRates(db, { ...rates, by: 'device' }),
    refused: await readRefusedSenders(db, RATES_SHOWN),
  };
}

/** Who is in the way is so for moments: looked at again and again, each session as it was seen last. */
async function watchingTransactions<T>(
  db: Database,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly longTransactions: LongTransaction[] }> {
  const byPid = new Map<number, LongTransaction>();
  const state = { isOver: false };
  const watching = (async () => {
    while (!state.isOver) {
      for (const found of await readLongTransactions(db)) byPid.set(found.pid, found);
      await sleep(LOOK_EVERY_MS);
    }
  })();
  try {
    const [result] = await Promise.all([work().finally(() => (state.isOver = true)), watching]);
    return { result, longTransactions: [...byPid.values()] };
  } finally {
    state.isOver = true;
  }
}

const LOOK_EVERY_MS = 200;
