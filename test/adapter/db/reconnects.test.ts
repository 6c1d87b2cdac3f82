import { openDatabase, type Database } from '../../../db/pool';
import { busiestSpan } from '../../../drills/postgres/connection-peak';
import { onNode } from '../../../drills/postgres/node';
import { eventually, testLog } from '../../support/servers';
import { startOwnPostgres, type OwnPostgres } from '../ingest/own-postgres';

/** For whoever reads the run: figures of this machine. */
const measured = (line: string): void => void process.stderr.write(`${line}\n`);

/** Processes, and connections of each that are all in use. */
const PROCESSES = 20;
const EACH = 3;
const AWAY_MS = 4_000;

let server: OwnPostgres;
let pools: Database[];
beforeAll(async () => {
  server = await startOwnPostgres();
  pools = Array.from({ length: PROCESSES }, () =>
    openDatabase({ ...server.options, poolSize: EACH, connectTimeoutMs: 2_000, queryTimeoutMs: 10_000 }, testLog),
  );
}, 60_000);
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.close()));
  await server.remove();
});

/** Asks all the time, as a busy process does. */
async function ask(pool: Database, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await pool.query('select pg_sleep(1)').catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** When each session of ours on the server was begun, ms. */
const begun = (): Promise<number[]> =>
  onNode({ ...server.options, user: server.process.superuser, password: server.process.password }, async (client) => {
    const { rows } = await client.query<{ ms: number }>(
      `select extract(epoch from backend_start)::float8 * 1000 as ms from pg_stat_activity
        where backend_type = 'client backend' and application_name = 'test'`,
    );
    return rows.map(({ ms }) => ms);
  });

describe('the pools of all processes', () => {
  it('do not come back in one burst when PostgreSQL does', async () => {
    let over = false;
    const asking = pools.flatMap((pool) => Array.from({ length: EACH }, () => ask(pool, () => over)));
    try {
      await eventually(async () => expect((await begun()).length).toBe(PROCESSES * EACH), 30_000);
      await server.crash();
      await new Promise((resolve) => setTimeout(resolve, AWAY_MS));
      await server.start();
      const all = await eventually(async () => {
        const moments = await begun();
        expect(moments).toHaveLength(PROCESSES * EACH);
        return moments;
      }, 60_000);
      const inOneGo = busiestSpan(all, 100);
      measured(
        JSON.stringify({ connections: all.length, busiest100Ms: inOneGo, busiestSecond: busiestSpan(all, 1_000) }),
      );
      expect(inOneGo).toBeLessThan(0.6 * all.length);
    } finally {
      over = true;
      await Promise.all(asking);
    }
  }, 120_000);
});
