import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { drillCanary } from '../../../db/drill-canary';
import { startCanary } from '../../../drills/canary';
import { nodeLogin, onNode, valueOf, type NodeLogin } from '../../../drills/postgres/node';
import { startHaproxy } from '../../../local/failover/routers';
import { sleep } from '../../e2e/support';
import { eventually } from '../../support/servers';
import { startFrontedPair, type FrontedPair } from './fronted-pair';

/** For whoever reads the run: figures of this machine. */
const measured = (line: string): void => void process.stderr.write(`${line}\n`);

// An asynchronous pair: what a stale primary could do, and what a lost one takes with it.

let world: FrontedPair;
beforeAll(async () => {
  world = await startFrontedPair({ synchronous: false });
}, 120_000);
afterAll(() => world.stop(), 60_000);

/** The check that most people write: whoever is not in recovery is the primary. */
async function naiveCheck(node: NodeLogin): Promise<Server> {
  const server = createServer((_request, response) => {
    onNode(node, (client) => valueOf<boolean>(client, 'select not pg_is_in_recovery()'))
      .catch(() => false)
      .then(
        (primary) => response.writeHead(primary ? 200 : 503).end(),
        () => undefined,
      );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** Writes on new sessions by a road; how many landed on which node, by its port. */
async function writesBy(road: { host: string; port: number }, count: number): Promise<Record<string, number>> {
  const login = nodeLogin({ ...world.pair.a, ...road });
  const landed: Record<string, number> = {};
  for (let i = 0; i < count; i += 1) {
    const port = await onNode(login, (client) =>
      valueOf<string>(
        client,
        `insert into drill_canary (run_id, seq) values ($1, 1) returning current_setting('port')`,
        [randomUUID()],
      ),
    );
    landed[port] = (landed[port] ?? 0) + 1;
  }
  return landed;
}

describe('a primary that hung while its standby was promoted, and woke up', () => {
  it('gets no write by our check, and half of them by the usual one', async () => {
    const { pair, front, folder } = world;
    const checks = await Promise.all([naiveCheck(pair.a), naiveCheck(pair.b)]);
    const naive = await startHaproxy({
      nodes: [pair.a.name, pair.b.name],
      checkPorts: [portOf(checks[0]), portOf(checks[1])],
      folder,
    });
    const old = pair.primary();
    try {
      old.server.suspend();
      await pair.promote();
      await eventually(() => writesBy(front.haproxy, 1), 20_000);
      old.server.resume();
      await eventually(
        async () => expect(await writesBy(old.login, 1)).toEqual({ [String(old.login.port)]: 1 }),
        20_000,
      );
      // Both say that they are the primary, and the usual check believes both.
      const byNaive = await eventually(async () => {
        const landed = await writesBy(naive, 10);
        expect(Object.keys(landed)).toHaveLength(2);
        return landed;
      }, 30_000);
      const byOurs = await writesBy(front.haproxy, 40);
      measured(JSON.stringify({ byNaive, byOurs }));
      expect(byOurs).toEqual({ [String(pair.primary().login.port)]: 40 });

      // Also one that knows nothing but what it has written down: the new primary is away, and nobody is believed.
      await front.check.kill();
      pair.primary().server.suspend();
      const again = await front.startCheck();
      try {
        await sleep(1_500);
        expect(await again.answers()).toEqual([503, 503]);
      } finally {
        pair.primary().server.resume();
      }
      await eventually(() => writesBy(front.haproxy, 1), 20_000);
    } finally {
      await naive.process.kill();
      for (const check of checks) check.close();
      old.server.resume();
    }
  }, 120_000);

  it('refuses every write once it is fenced, and streams after it was rewound', async () => {
    const { pair } = world;
    const old = pair.standby();
    await pair.wakeAndFence(old);
    await expect(writesBy(old.login, 1)).rejects.toMatchObject({ code: '25006' });
    await pair.rejoin();
    await expect(writesBy(pair.standby().login, 1)).rejects.toMatchObject({ code: '25006' });
  }, 60_000);
});

describe('writes that were acknowledged before the standby had them', () => {
  it('are lost with the primary where commits do not wait, and counted to the last one', async () => {
    const { pair, db } = world;
    await eventually(() => db.query('select 1'), 20_000);
    const rows = drillCanary(db, randomUUID());
    const canary = startCanary({
      write: (seq) => rows.write(seq),
      read: null,
      missing: (seqs) => rows.missing(seqs),
      everyMs: 5,
      close: () => Promise.resolve(),
    });
    await eventually(() => expect(canary.acknowledged()).toBeGreaterThan(20));
    const receiver = await onNode(pair.standby().login, (client) =>
      valueOf<number>(client, 'select pid from pg_stat_wal_receiver'),
    );
    process.kill(receiver, 'SIGSTOP'); // the log does not arrive any more
    const before = canary.acknowledged();
    await eventually(() => expect(canary.acknowledged()).toBeGreaterThan(before + 30));
    await pair.primary().server.kill();
    process.kill(receiver, 'SIGKILL'); // what it had not taken is gone with the primary
    await eventually(() => onNode(pair.standby().login, (client) => client.query('select 1')), 20_000);
    await pair.promote();
    const atPromotion = canary.acknowledged();
    await eventually(() => expect(canary.acknowledged()).toBeGreaterThan(atPromotion + 10), 20_000);
    const { lost, acknowledged, writes } = await canary.stop();
    measured(JSON.stringify({ lost, acknowledged, gapMs: writes.gapMs }));
    expect(lost).toBeGreaterThan(0);
    expect(acknowledged).toBeGreaterThan(lost);
  }, 120_000);
});
