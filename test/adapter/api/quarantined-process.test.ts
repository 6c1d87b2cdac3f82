import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { hashPassword } from '../../../config/password-hash';
import { addFeeder } from '../../support/fleet-rows';
import { createTestDatabase, eventually, testServers, type TestDatabase } from '../../support/servers';
import { freePort } from '../../../servers/free-port';

const BUILT = join(__dirname, '../../../dist/api/main.js');

/** Listens where the broker and Temporal would be, and notes who knocks. */
async function trap(): Promise<{ port: number; knocks: () => number; close: () => void }> {
  let knocks = 0;
  const server: Server = createServer((socket) => {
    knocks += 1;
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, knocks: () => knocks, close: () => server.close() };
}

let database: TestDatabase;
let api: ChildProcess;
let url: string;
let broker: Awaited<ReturnType<typeof trap>>;
let temporal: Awaited<ReturnType<typeof trap>>;
const password = randomBytes(12).toString('base64url');

beforeAll(async () => {
  if (!existsSync(BUILT)) throw new Error('dist/ is not there: run npm run build');
  [database, broker, temporal] = await Promise.all([createTestDatabase(), trap(), trap()]);
  await addFeeder(database.db, 'north');
  const { host, port, user, password: dbPassword } = testServers().postgres;
  const apiPort = await freePort();
  url = `http://127.0.0.1:${String(apiPort)}`;
  api = spawn(process.execPath, [BUILT], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      QUARANTINE: 'true',
      LOG_LEVEL: 'warn',
      ...{ DB_HOST: host, DB_PORT: String(port), DB_NAME: database.name, DB_USER: user, DB_PASSWORD: dbPassword },
      ...{ MQTT_HOST: '127.0.0.1', MQTT_PORT: String(broker.port) },
      TEMPORAL_ADDRESS: `127.0.0.1:${String(temporal.port)}`,
      API_PORT: String(apiPort),
      JWT_SECRET: randomBytes(32).toString('hex'),
      AUTH_USERS: JSON.stringify([{ user: 'ann', role: 'admin', hash: await hashPassword(password) }]),
    },
  });
  await eventually(async () => expect((await fetch(`${url}/api/ready`)).status).toBe(200), 20_000);
}, 60_000);

afterAll(async () => {
  const gone = once(api, 'exit');
  api.kill();
  await gone;
  broker.close();
  temporal.close();
  await database.drop();
});

describe('an API that was started quarantined', () => {
  it('answers from the database, refuses to write, and opens no connection but to PostgreSQL', async () => {
    const login = await fetch(`${url}/api/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user: 'ann', password }),
    });
    const { accessToken } = (await login.json()) as { accessToken: string };
    const call = (method: string, path: string, body?: unknown) =>
      fetch(`${url}${path}`, {
        method,
        headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });

    const health = await eventually(async () => {
      const answer = (await (await call('GET', '/api/health')).json()) as { dependencies: { database: unknown } };
      expect(answer.dependencies.database).toMatchObject({ up: true });
      return answer;
    });
    expect(health).toMatchObject({
      status: 'degraded',
      quarantined: true,
      problems: ['this process is quarantined: it knows no broker and no Temporal, and writes nothing'],
      feeders: [{ feederId: 'north', loop: 'quarantined' }],
    });
    const feeders = (await (await call('GET', '/api/feeders')).json()) as { items: unknown[] };
    expect(feeders.items).toMatchObject([{ feederId: 'north' }]);
    const loop = await call('GET', '/api/feeders/north/control-loop');
    expect(await loop.json()).toMatchObject({
      workflow: null,
      workflowUnavailable: expect.stringContaining('quarantined'),
    });
    const write = await call('POST', '/api/feeders/north/control-loop/mode', { mode: 'manual' });
    expect([write.status, ((await write.json()) as { code: string }).code]).toEqual([503, 'QUARANTINED']);
    expect((await call('POST', '/api/quarantine/lift', { reason: 'let me' })).status).toBe(503);

    await new Promise((resolve) => setTimeout(resolve, 2_500)); // probes come each second
    expect([broker.knocks(), temporal.knocks()]).toEqual([0, 0]);
  });
});
