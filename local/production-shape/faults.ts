import { setTimeout as sleep } from 'node:timers/promises';
import { onNode } from '../../drills/postgres/node';
import { signedIn } from './api-client';
import { eventually, type Check } from './checks';
import type { ProductionShape } from './shape';

const AWAY_MS = 20_000;
const BACK_WITHIN_MS = 120_000;

/** The Temporal server is away for a while under running loops and a dispatch. */
export const FAULTS: readonly Check[] = [
  {
    name: 'the Temporal server is killed: loops and the dispatch go on when it is back',
    run: (shape) =>
      withTemporalAway(
        shape,
        (temporal) => temporal.process().kill(),
        (temporal) => temporal.startAgain?.(),
      ),
  },
  {
    name: 'the Temporal server hangs: loops and the dispatch go on when it is back',
    run: (shape) =>
      withTemporalAway(
        shape,
        (temporal) => {
          temporal.process().suspend();
        },
        (temporal) => {
          temporal.process().resume();
        },
      ),
  },
];

type Temporal = ReturnType<ProductionShape['parts']['named']>;

async function withTemporalAway(
  shape: ProductionShape,
  takeAway: (temporal: Temporal) => unknown,
  bringBack: (temporal: Temporal) => unknown,
): Promise<string> {
  const call = await signedIn(shape);
  const temporal = shape.parts.named('temporal');
  const before = await loopsOf(shape);
  const endsAt = new Date(Date.now() + AWAY_MS).toISOString();
  const body = { feederId: 'elm-street', importLimitKw: 100, endsAt, reason: 'Temporal goes away' };
  const accepted = await call('POST', '/api/dispatches', body, { 'idempotency-key': crypto.randomUUID() });
  if (accepted.status !== 202) throw new Error(`the dispatch is answered with ${String(accepted.status)}`);
  const path = `/api/dispatches/${String(accepted.body['dispatchId'])}`;
  const inState = (wanted: string, withinMs: number): Promise<unknown> =>
    eventually(
      async () => (await call('GET', path)).body['state'],
      (state) => state === wanted,
      withinMs,
    );
  await inState('active', AWAY_MS / 2); // one that could not begin while Temporal was away would rightly expire
  await takeAway(temporal);
  await sleep(AWAY_MS);
  const backAt = performance.now();
  const backSince = new Date();
  await bringBack(temporal);
  const after = await eventually(
    () => loopsOf(shape),
    (loops) => loops.length === before.length && loops.every(({ plannedAt }) => plannedAt > backSince),
    BACK_WITHIN_MS,
  );
  const goneOnMs = Math.round(performance.now() - backAt);
  const chains = (loops: typeof before): string => loops.map(({ chainId }) => chainId).join();
  if (chains(after) !== chains(before)) throw new Error('a loop was begun anew instead of going on');
  await inState('completed', BACK_WITHIN_MS);
  return `${String(after.length)} loops plan again ${String(goneOnMs)} ms after it was called back, the dispatch that ended meanwhile is reported`;
}

/** The chain of each loop and when it last planned, by PostgreSQL's clock. */
function loopsOf({ database }: ProductionShape): Promise<{ root: string; chainId: string; plannedAt: Date }[]> {
  return onNode({ ...database.pair.primary().login, database: 'derms' }, async (client) => {
    const { rows } = await client.query<{ root: string; chainId: string; plannedAt: Date }>(
      'select root_feeder_id as root, chain_id as "chainId", planned_at as "plannedAt" from control_loops order by 1',
    );
    return rows;
  });
}
