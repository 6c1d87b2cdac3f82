import { existsSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTestSystem, type TestSystem } from '../../../local/test-system';
import { databaseOf } from '../../e2e/support';
import { lateness } from '../../support/lateness';
import { eventually } from '../../support/servers';
import { rawConnection, rawConnections, statusesOf, type RawConnection } from './raw-http';

// Callers of bad will against the compiled program. Whatever they do, health answers within a second and an operator's
// request passes; and what they cost is bounded.
const BUILT = join(__dirname, '../../../dist/api/main.js');
const HEADERS_TIMEOUT_MS = 2_000;
const RECEIVE_TIMEOUT_MS = 4_000;
const SLOW_READER_MS = 3_000;
const CONNECTIONS = 1_500;
const READS = 100;
/** What is promised of health, and what an operator still takes for an answer. */
const HEALTH_MS = 1_000;
const ORDER_MS = 5_000;
const LEAST_LOOKS = 5;
const BUSY_FACTOR = 5;

let system: TestSystem;
const token = { viewer: '', operator: '', admin: '' };
const opened: RawConnection[] = [];

beforeAll(async () => {
  if (!existsSync(BUILT)) throw new Error('dist/ is not there: run npm run build');
  system = await startTestSystem({
    env: {
      API_HEADERS_TIMEOUT_MS: String(HEADERS_TIMEOUT_MS),
      API_RECEIVE_TIMEOUT_MS: String(RECEIVE_TIMEOUT_MS),
      API_SLOW_READER_MS: String(SLOW_READER_MS),
      API_MAX_CONNECTIONS: String(CONNECTIONS),
      API_RATE_READS: String(READS),
    },
  });
  await system.start('api');
  for (const user of ['viewer', 'operator', 'admin'] as const) token[user] = await system.signIn(user);
  const db = databaseOf(system);
  await db.query(
    `insert into feeders (feeder_id, root_id, import_limit_kw, export_limit_kw, origin) values ('north', 'north', 100, 100, 'registry')`,
  );
  await db.close();
}, 120_000);
afterEach(() => {
  for (const { socket } of opened.splice(0)) socket.destroy();
});
afterAll(() => system.stop(), 30_000);

const open = async (count: number): Promise<RawConnection[]> => {
  const connections = await rawConnections(system.apiUrl, count);
  opened.push(...connections);
  return connections;
};
const bearer = (user: keyof typeof token): Record<string, string> => ({ authorization: `Bearer ${token[user]}` });
const get = (path: string, user: keyof typeof token): Promise<Response> =>
  fetch(`${system.apiUrl}${path}`, { headers: bearer(user), signal: AbortSignal.timeout(20_000) });
const metric = async (line: RegExp): Promise<number> => {
  const text = await (await fetch(`${system.apiUrl}/metrics`)).text();
  return Number(line.exec(text)?.[1] ?? NaN);
};
const memoryMiB = async (): Promise<number> => (await metric(/^process_resident_memory_bytes\S* (\S+)$/m)) / 1_048_576;

/** An order of an operator that stores nothing: it goes through Postgres like one that does. */
const order = (): Promise<Response> =>
  fetch(`${system.apiUrl}/api/dispatches?validateOnly=true`, {
    method: 'POST',
    headers: { ...bearer('operator'), 'content-type': 'application/json', 'idempotency-key': 'abuse' },
    body: JSON.stringify({
      ...{ feederId: 'north', importLimitKw: 80, reason: 'a test' },
      endsAt: new Date(Date.now() + 3_600_000).toISOString(),
    }),
    signal: AbortSignal.timeout(20_000),
  });

/** The slowest answer of each, ms, less what this process itself was late meanwhile. */
interface Served {
  readonly healthMs: number;
  readonly orderMs: number;
  readonly times: number;
}

/** Asks for health and lets an operator act, again and again, for as long as `attack` goes on. */
async function during(attack: Promise<unknown>): Promise<Served> {
  const state = { isOver: false };
  const ended = attack.finally(() => (state.isOver = true));
  let [healthMs, orderMs, times] = [0, 0, 0];
  const timed = async (ask: () => Promise<Response>): Promise<number> => {
    const late = lateness();
    const startedAt = performance.now();
    const { status } = await ask().catch(askOnceMore(ask));
    const ms = performance.now() - startedAt - late.stop();
    expect(status).toBe(200);
    return ms;
  };
  do {
    healthMs = Math.max(healthMs, await timed(() => fetch(`${system.apiUrl}/api/health`)));
    orderMs = Math.max(orderMs, await timed(order));
    times += 1;
    await sleep(50);
  } while (!state.isOver || times < LEAST_LOOKS);
  await ended;
  return { healthMs: Math.round(healthMs), orderMs: Math.round(orderMs), times };
}

/** A connection may be hung up on before its request is read, and every client of HTTP then asks anew (RFC 9112, 9.3.1). */
const askOnceMore =
  (ask: () => Promise<Response>) =>
  (error: unknown): Promise<Response> => {
    const isHungUpOn =
      error instanceof TypeError && (error.cause as { code?: string } | undefined)?.code === 'UND_ERR_SOCKET';
    if (!isHungUpOn) throw error;
    return ask();
  };

/** On a machine that is busy with other things, answers take longer without any attack: that much is allowed for. */
let quiet: Served = { healthMs: 0, orderMs: 0, times: 0 };
beforeEach(async () => {
  quiet = await during(Promise.resolve());
});

function expectServed({ healthMs, orderMs, times }: Served): void {
  const what = expect.getState().currentTestName ?? '';
  process.stdout.write(
    `${what}: ${String(times)} looks; health ${String(healthMs)} ms (quiet: ${String(quiet.healthMs)}), order ${String(orderMs)} ms (quiet: ${String(quiet.orderMs)})\n`,
  );
  expect(healthMs).toBeLessThan(HEALTH_MS + BUSY_FACTOR * quiet.healthMs);
  expect(orderMs).toBeLessThan(ORDER_MS + BUSY_FACTOR * quiet.orderMs);
}

/** Sends one byte at a time for as long as it is let. */
async function dribble({ socket }: RawConnection, beginning: string): Promise<void> {
  socket.write(beginning);
  while (!socket.destroyed) {
    socket.write('x');
    await sleep(200);
  }
}

describe('who sends slowly', () => {
  it('headers is hung up on with 408 when their time is over', async () => {
    const slow = await open(200);
    const startedAt = performance.now();
    const served = await during(Promise.all(slow.map((one) => dribble(one, 'GET /api/health HTTP/1.1\r\nx-slow: '))));
    expect(performance.now() - startedAt).toBeLessThan(HEADERS_TIMEOUT_MS + 8_000);
    expectServed(served);
    expect(statusesOf(slow[0]!)).toEqual([408]);
    expect(slow[0]!.text()).toContain('"code":"REQUEST_TOO_SLOW"');
  }, 60_000);

  it('bodies is hung up on, too', async () => {
    const slow = await open(200);
    const head =
      'POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 90000\r\n\r\n{"user":"';
    const startedAt = performance.now();
    expectServed(await during(Promise.all(slow.map((one) => dribble(one, head)))));
    expect(performance.now() - startedAt).toBeLessThan(RECEIVE_TIMEOUT_MS + 8_000);
    expect(statusesOf(slow[0]!)).toEqual([408]);
  }, 60_000);
});

describe('who sends much', () => {
  it('in a body is told at once that it is too large, and it takes no memory', async () => {
    const before = await memoryMiB();
    const body = Buffer.alloc(20 * 1_048_576, 0x20);
    const send = (path: string, headers: Record<string, string>): Promise<number> =>
      new Promise((resolve) => {
        const sent = httpRequest(`${system.apiUrl}${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked', ...headers },
        });
        sent.on('response', (response) => {
          resolve(response.statusCode ?? 0);
          response.resume();
        });
        sent.on('error', () => undefined); // it may be cut off while it goes on sending
        sent.end(body);
      });
    const statuses: number[] = [];
    const flood = async (): Promise<void> => {
      for (let round = 0; round < 3; round += 1)
        statuses.push(
          ...(await Promise.all([
            ...Array.from({ length: 5 }, () => send('/api/auth/login', {})),
            ...Array.from({ length: 5 }, () => send('/api/registry', bearer('admin'))),
          ])),
        );
    };
    expectServed(await during(flood()));
    expect(statuses).toEqual(Array<number>(30).fill(413));
    expect((await memoryMiB()) - before).toBeLessThan(300);
  }, 120_000);

  it('in headers is told 431', async () => {
    const many = await open(100);
    const flood = many.map(async (one, index) => {
      const large = index % 2 === 0 ? `x-large: ${'x'.repeat(40_000)}` : 'x-many: 12345\r\n'.repeat(5_000);
      one.socket.write(`GET /api/health HTTP/1.1\r\nhost: x\r\n${large}\r\n\r\n`);
      await one.closed;
    });
    expectServed(await during(Promise.all(flood)));
    expect(many.map((one) => statusesOf(one)[0])).toEqual(Array<number>(100).fill(431));
    expect(many[0]!.text()).toContain('"code":"HEADERS_TOO_LARGE"');
  }, 60_000);

  it('levels in one body is told so', async () => {
    const deep = '{"a":'.repeat(30_000);
    const send = (): Promise<Response> =>
      fetch(`${system.apiUrl}/api/jobs/telemetry-retention/runs`, {
        method: 'POST',
        headers: { ...bearer('operator'), 'content-type': 'application/json' },
        body: deep,
      });
    const statuses: number[] = [];
    const flood = async (): Promise<void> => {
      for (let round = 0; round < 10; round += 1) statuses.push((await send()).status);
    };
    expectServed(await during(flood()));
    expect(statuses).toEqual(Array<number>(10).fill(422));
  }, 60_000);
});

describe('who hoards connections', () => {
  it('keeps 1,000 idle ones for as long as a request may take to begin', async () => {
    const idle = await open(1_000);
    expectServed(await during(sleep(1_000)));
    expect(await metric(/^derms_http_connections\S* (\S+)$/m)).toBeGreaterThanOrEqual(1_000);
    await eventually(() => expect(idle.every(({ socket }) => socket.destroyed)).toBe(true), 20_000, 200);
  }, 60_000);

  it('loses the oldest when all places are taken, and keeps nobody out', async () => {
    const flood = async (): Promise<void> => {
      for (let round = 0; round < 10; round += 1) await open(CONNECTIONS / 5);
    };
    expectServed(await during(flood()));
    expect(await metric(/^derms_http_connections\S* (\S+)$/m)).toBeLessThanOrEqual(CONNECTIONS);
    expect(await metric(/^derms_http_connections_ended_total\{\S*what="idle"\S* (\S+)$/m)).toBeGreaterThan(100);
  }, 60_000);

  it('may keep many alive that ask in turn', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 200 });
    const ask = (): Promise<number> =>
      new Promise((resolve, reject) => {
        httpRequest(`${system.apiUrl}/api/ready`, { agent }, (response) => {
          response.resume();
          response.once('end', () => {
            resolve(response.statusCode ?? 0);
          });
        })
          .once('error', reject)
          .end();
      });
    const rounds = async (): Promise<void> => {
      for (let round = 0; round < 5; round += 1)
        expect(new Set(await Promise.all(Array.from({ length: 200 }, ask)))).toEqual(new Set([200]));
    };
    expectServed(await during(rounds()));
    agent.destroy();
  }, 60_000);

  it('may send 2,000 requests ahead on one: each is answered in its turn', async () => {
    const [one] = await open(1);
    const ask = `GET /api/backups HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token.viewer}\r\n\r\n`;
    one!.socket.write(ask.repeat(2_000));
    expectServed(await during(eventually(() => expect(statusesOf(one!)).toHaveLength(2_000), 40_000, 200)));
    const statuses = new Set(statusesOf(one!));
    expect([...statuses].every((status) => status === 200 || status === 429)).toBe(true);
    expect(statuses.has(429)).toBe(true);
  }, 60_000);
});

describe('who asks too often', () => {
  it('is told 429, while another acts and an emergency stop is carried out', async () => {
    const counts = new Map<number, number>();
    const until = performance.now() + 4_000;
    const script = async (): Promise<void> => {
      while (performance.now() < until) {
        const response = await get('/api/feeders', 'viewer');
        await response.arrayBuffer();
        counts.set(response.status, (counts.get(response.status) ?? 0) + 1);
        if (response.status === 429) expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
      }
    };
    const stop = async (): Promise<void> => {
      await sleep(1_000);
      const startedAt = performance.now();
      const engaged = await fetch(`${system.apiUrl}/api/emergency-stop`, {
        method: 'POST',
        headers: { ...bearer('admin'), 'content-type': 'application/json' },
        body: JSON.stringify({ safeState: 'default', reason: 'a test of floods' }),
      });
      expect(engaged.status).toBe(200);
      expect(performance.now() - startedAt).toBeLessThan(5_000);
    };
    expectServed(await during(Promise.all([...Array.from({ length: 30 }, script), stop()])));
    expect(counts.has(429)).toBe(true);
    expect([...counts.keys()].filter((status) => ![200, 429].includes(status))).toEqual([]);
    await fetch(`${system.apiUrl}/api/emergency-stop?reason=over`, { method: 'DELETE', headers: bearer('admin') });
  }, 60_000);

  it('for a log-in is slowed down, while others log in and act', async () => {
    const counts = new Map<number, number>();
    const until = performance.now() + 4_000;
    const guess = async (guesser: number): Promise<void> => {
      for (let time = 0; performance.now() < until; time += 1) {
        const { status } = await fetch(`${system.apiUrl}/api/auth/login`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ user: `nobody-${String(guesser)}-${String(time)}`, password: 'x' }),
        });
        counts.set(status, (counts.get(status) ?? 0) + 1);
      }
    };
    expectServed(await during(Promise.all(Array.from({ length: 50 }, (_, guesser) => guess(guesser)))));
    expect(counts.has(429)).toBe(true);
    expect([...counts.keys()].filter((status) => ![401, 429, 504].includes(status))).toEqual([]);
    expect(await system.signIn('operator')).toEqual(expect.any(String));
  }, 60_000);
});

describe('who follows runs', () => {
  let runId: string;
  beforeAll(async () => {
    const db = databaseOf(system);
    const started = await fetch(`${system.apiUrl}/api/jobs/telemetry-retention/runs`, {
      method: 'POST',
      headers: { ...bearer('operator'), 'content-type': 'application/json' },
      body: '{}',
    });
    expect(started.status).toBe(202);
    ({ runId } = (await started.json()) as { runId: string });
    await db.query(
      `insert into job_run_events (run_id, seq, at, kind, data)
       select $1, 1000 + n, now(), 'log', jsonb_build_object('level', 'info', 'message', repeat('x', 4000)) from generate_series(1, 10000) n`,
      [runId],
    );
    await db.close();
  });

  const follow = async (user: 'viewer' | 'operator'): Promise<RawConnection> => {
    const [one] = await open(1);
    one!.socket.write(
      `GET /api/runs/${runId}/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token[user]}\r\nlast-event-id: 999999999\r\n\r\n`,
    );
    await eventually(() => expect(statusesOf(one!)).toHaveLength(1));
    return one!;
  };

  it('ten times is refused the eleventh, and another user is not', async () => {
    for (let stream = 0; stream < 10; stream += 1) expect(statusesOf(await follow('viewer'))).toEqual([200]);
    expect(statusesOf(await follow('viewer'))).toEqual([429]);
    expect(statusesOf(await follow('operator'))).toEqual([200]);
    expectServed(await during(sleep(500)));
  }, 60_000);

  it('and does not read is hung up on; meanwhile no more than a little waits for them in memory', async () => {
    const before = await memoryMiB();
    const slow = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const one = await rawConnection(system.apiUrl);
        opened.push(one);
        one.socket.pause();
        one.socket.write(
          `GET /api/runs/${runId}/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token.operator}\r\n\r\n`,
        );
        return one;
      }),
    );
    const ended = (): Promise<number> =>
      metric(/^derms_http_connections_ended_total\{\S*what="slow-reader"\S* (\S+)$/m);
    const served = await during(eventually(async () => expect(await ended()).toBe(8), SLOW_READER_MS + 15_000, 200));
    expectServed(served);
    expect((await memoryMiB()) - before).toBeLessThan(150); // 40 MB wait in Postgres for each of them
    for (const { socket } of slow) socket.destroy();
    expect(statusesOf(await follow('operator'))).toEqual([200]); // their places are free again
  }, 60_000);
});

it('what is no HTTP is answered with a problem, and what is said of an expectation is heard', async () => {
  const [broken, expecting] = await open(2);
  broken!.socket.write('HELLO\r\n\r\n');
  await broken!.closed;
  expect(statusesOf(broken!)).toEqual([400]);
  expect(broken!.text()).toContain('content-type: application/problem+json'.replace('content-type', 'Content-Type'));
  expect(broken!.text()).toContain('"code":"MALFORMED_REQUEST"');
  expecting!.socket.write('GET /api/ready HTTP/1.1\r\nhost: x\r\nexpect: tea\r\n\r\n');
  await eventually(() => expect(statusesOf(expecting!)).toEqual([200]));
});
