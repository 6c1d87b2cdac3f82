import { randomUUID } from 'node:crypto';
import { drillCanary } from '../../../db/drill-canary';
import { openDatabase, type Database } from '../../../db/pool';
import { watchConnections } from '../../../drills/postgres/connection-peak';
import { fence, nodeLogin, onNode, valueOf } from '../../../drills/postgres/node';
import { pgBouncer } from '../../../drills/postgres/pooler';
import { sqlActs } from '../../../drills/postgres/sql-acts';
import { eventually, testLog } from '../../support/servers';
import { startFrontedPair, type FrontedPair } from './fronted-pair';

/** For whoever reads the run: figures of this machine. */
const measured = (line: string): void => void process.stderr.write(`${line}\n`);

// A primary and a standby, commits wait for the standby; HAProxy and PgBouncer in front, as they are shipped.

let world: FrontedPair;
beforeAll(async () => {
  world = await startFrontedPair({ synchronous: true });
}, 300_000);
afterAll(() => world.stop(), 60_000);

const writes = () => world.db.query('insert into drill_canary (run_id, seq) values ($1, 1)', [randomUUID()]);

/** A drill that was cut short somewhere, and the next attempt. */
function recovering() {
  const { pair, front } = world;
  const { pgbouncer, poolerAdmin, haproxy } = front;
  const pooler = pgBouncer({ host: pgbouncer.host, port: pgbouncer.port, database: 'pgbouncer', ...poolerAdmin });
  const acts = sqlActs({
    ...{ runId: randomUUID(), nodes: [pair.a, pair.b], pooler, command: null, commandSwitchesOver: false },
    direct: nodeLogin({ ...pair.a, host: haproxy.host, port: haproxy.port }),
  });
  return { acts, pooler };
}

describe('a commit', () => {
  it('costs the round trip to the standby and its disk where it waits for that', async () => {
    const MODES = ['off', 'local', 'remote_write', 'on', 'remote_apply'] as const;
    const EACH = 60;
    const ms: Record<string, number[]> = {};
    await onNode(world.pair.primary().login, async (client) => {
      for (let i = 0; i < EACH; i += 1)
        for (const mode of MODES) {
          await client.query('begin');
          await client.query(`set local synchronous_commit to ${mode}`);
          await client.query('insert into drill_canary (run_id, seq) values ($1, 1)', [randomUUID()]);
          const began = performance.now();
          await client.query('commit');
          (ms[mode] ??= []).push(performance.now() - began);
        }
    });
    const median = Object.fromEntries(
      MODES.map((mode) => [mode, [...ms[mode]!].sort((a, b) => a - b)[EACH / 2]!] as const),
    );
    measured(
      `median of a commit, ms: ${MODES.map((mode) => `${mode} ${median[mode]!.toFixed(2)}`).join(', ')} (${String(EACH)} each)`,
    );
    expect(median['on']).toBeGreaterThan(median['off']!);
  }, 120_000);
});

describe('what a drill that was cut short has left', () => {
  it('is undone: the pooler goes on, and a fenced primary beside which there is no other takes writes again', async () => {
    const { acts, pooler } = recovering();
    await eventually(() => pooler.pause(5_000), 30_000);
    await eventually(() => onNode(world.pair.primary().login, fence), 30_000);
    await expect(writes()).rejects.toThrow();

    await eventually(async () => {
      await acts.recover(); // as often as one likes: a node that does not answer in time says nothing
      await writes();
    }, 60_000);
    await acts.close();
  }, 180_000);

  it('is left fenced when the standby was promoted: two primaries would be worse', async () => {
    const { pair } = world;
    const { acts, pooler } = recovering();
    const old = pair.primary();
    await eventually(() => pooler.pause(5_000), 30_000);
    await eventually(() => onNode(old.login, fence), 30_000);
    await eventually(() => pair.promote(), 30_000);

    await eventually(async () => {
      await acts.recover();
      await writes();
    }, 60_000);
    const readOnly = await eventually(
      () =>
        onNode(old.login, (client) =>
          valueOf<string>(client, "select current_setting('default_transaction_read_only')"),
        ),
      30_000,
    );
    expect(readOnly).toBe('on');
    await acts.close();
    await pair.rejoin();
  }, 400_000);
});

describe('everybody at once after a failover', () => {
  /** Connections that are all in use: more than the pooler keeps. */
  const PROCESSES = 12;
  const EACH = 10;
  /** default_pool_size and reserve_pool_size of deploy/pgbouncer. */
  const POOLER_MOST = 70;

  it('opens no more new sessions a second than the pooler keeps, and loses nothing that was acknowledged', async () => {
    const { pair, front } = world;
    const { host, port } = front.pgbouncer;
    const application = { user: 'derms_app', password: 'of-a-proof' };
    const pools: Database[] = Array.from({ length: PROCESSES }, () =>
      openDatabase(
        {
          ...{ host, port, database: 'postgres', ...application, poolSize: EACH },
          ...{ connectTimeoutMs: 2_000, queryTimeoutMs: 10_000, applicationName: 'proof' },
        },
        testLog,
      ),
    );
    let over = false;
    const runs = pools.map((pool) => ({ rows: drillCanary(pool, randomUUID()), done: [] as number[] }));
    const goOn = async ({ rows, done }: (typeof runs)[number], place: number): Promise<void> => {
      for (let seq = place; !over; seq += EACH) {
        await rows.write(seq).then(
          () => done.push(seq),
          () => undefined,
        );
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
    };
    const going = runs.flatMap((run) => Array.from({ length: EACH }, (_, place) => goOn(run, place)));
    const peak = watchConnections(pair.standby().login);
    try {
      await eventually(() => expect(runs.every(({ done }) => done.length > 0)).toBe(true), 120_000);
      await pair.primary().server.kill();
      await pair.promote();
      const before = runs.map(({ done }) => done.length);
      await eventually(
        () => expect(runs.every(({ done }, index) => done.length > before[index]! + 2)).toBe(true),
        120_000,
      );
    } finally {
      over = true;
      await Promise.all(going);
      await peak.stop();
    }
    const lost = await Promise.all(runs.map(async ({ rows, done }) => (await rows.missing(done)).length));
    measured(
      JSON.stringify({
        clients: PROCESSES * EACH,
        peakNewSessionsPerSecond: peak.perSecond(),
        acknowledged: runs.reduce((sum, { done }) => sum + done.length, 0),
      }),
    );
    expect(lost.reduce((sum, each) => sum + each, 0)).toBe(0);
    expect(peak.perSecond()).toBeGreaterThan(0);
    expect(peak.perSecond()).toBeLessThanOrEqual(POOLER_MOST);
    await Promise.all(pools.map((pool) => pool.close()));
  }, 400_000);
});
