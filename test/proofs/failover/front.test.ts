import { randomUUID } from 'node:crypto';
import { fence, nodeLogin, onNode } from '../../../drills/postgres/node';
import { pgBouncer } from '../../../drills/postgres/pooler';
import { sqlActs } from '../../../drills/postgres/sql-acts';
import { eventually } from '../../support/servers';
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
});
