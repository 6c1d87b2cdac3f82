import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, connectAsync, type MqttClient } from 'mqtt';
import { Client } from 'pg';
import { secretFile, type TestSystem } from '../../local/test-system';
import { writeBrokerPasswords } from '../../servers/mosquitto';
import { eventually } from '../support/servers';
import { startTemporalFront, type TemporalFront } from '../support/temporal-front';
import { apiAs, sleep, startDemo } from './support';

// Both passwords change while 120 devices report, both loops plan and people ask, and then certificate and key for Temporal:
// nobody notices, every process goes on with the new ones, and the old passwords open nothing.

const DEVICE = 'ev-rotation';
const HOW_LONG_MS = 12_000;

let system: TestSystem;
let temporal: TemporalFront;
let owner: Client;
beforeAll(async () => {
  system = await startDemo({
    passwordsAsFiles: true,
    front: async (stack) => {
      temporal = await startTemporalFront(stack, { commonName: 'first', apiKey: 'key-one' });
      return { ...temporal, env: { ...temporal.env, TEMPORAL_API_KEY_FILE: temporal.keyFile } };
    },
  });
  const { host, port, superuser: user, password } = system.stack.postgres;
  owner = new Client({ host, port, user, password, database: 'derms' });
  await owner.connect();
}, 120_000);
afterAll(async () => {
  await owner.end();
  await system.stop();
}, 60_000);

const drawn = (): string => randomBytes(18).toString('base64url');

/** As Kubernetes does it: never half a file. */
function putSecret(name: 'DB_PASSWORD' | 'MQTT_PASSWORD', value: string): void {
  const file = secretFile(system.stack, name);
  writeFileSync(`${file}.new`, value);
  renameSync(`${file}.new`, file);
}

/** The runbook's two steps. */
async function rotateDatabase(next: string): Promise<void> {
  putSecret('DB_PASSWORD', next);
  await sleep(300);
  await owner.query(`alter role derms_app password '${next}'`);
}

async function rotateBroker(next: string): Promise<void> {
  const { mosquitto, brokerUser, folder } = system.stack;
  putSecret('MQTT_PASSWORD', next);
  writeBrokerPasswords(join(folder, 'mosquitto'), [{ username: brokerUser.username, password: next }]);
  process.kill(mosquitto.pid, 'SIGHUP');
}

interface Load {
  /** What was asked of the API and not answered as it should be. */
  readonly failed: string[];
  readonly answered: () => number;
  /** More at a time than there were: the pool has to make new connections. */
  grow(atOnce: number): void;
  readonly end: Promise<unknown>;
}

async function askForAWhile(until: number): Promise<Load> {
  const operator = await apiAs(system, 'operator');
  const failed: string[] = [];
  let answered = 0;
  const ask = async (method: string, path: string): Promise<void> => {
    try {
      const { status, body } = await operator(method, path);
      if (status >= 300) failed.push(`${method} ${path}: ${String(status)} ${JSON.stringify(body)}`);
      answered += 1;
    } catch (error) {
      failed.push(`${method} ${path}: ${String(error)}`);
    }
  };
  let atOnce = 1;
  const crowd = async (): Promise<void> => {
    while (Date.now() < until) {
      await Promise.all(Array.from({ length: atOnce }, () => ask('GET', '/api/devices?limit=50')));
      await sleep(150);
    }
  };
  const orders = async (): Promise<void> => {
    while (Date.now() < until) {
      await ask('POST', '/api/feeders/elm-street/control-loop/wake');
      await ask('GET', '/api/feeders');
      await sleep(300);
    }
  };
  const grow = (to: number): void => {
    atOnce = to;
  };
  return { failed, answered: () => answered, grow, end: Promise.all([crowd(), orders()]) };
}

/** A device that keeps what the broker has not acknowledged, as agents in the field do. */
async function reportForAWhile(
  password: () => string,
  until: number,
): Promise<{ acknowledged: number[]; end: Promise<unknown> }> {
  const { mosquitto, brokerUser } = system.stack;
  const client: MqttClient = connect({
    ...{ host: mosquitto.host, port: mosquitto.port, username: brokerUser.username, password: password() },
    ...{ clientId: DEVICE, clean: false, protocolVersion: 5, properties: { sessionExpiryInterval: 600 } },
    ...{ reconnectPeriod: 200, reconnectOnConnackError: true },
  });
  client.on('error', () => undefined); // refused: it comes again with the password of then
  client.on('reconnect', () => {
    client.options.password = password();
  });
  const acknowledged: number[] = [];
  const report = async (): Promise<void> => {
    const waiting: Promise<unknown>[] = [];
    for (let timestampMs = Date.now(); timestampMs < until; timestampMs = Math.max(timestampMs + 1, Date.now())) {
      const body = {
        ...{ v: 1, messageType: 'telemetry', messageId: randomUUID(), deviceId: DEVICE, deviceType: 'ev', timestampMs },
        ...{
          source: 'pi-agent',
          payload: { readings: { powerKw: 3 }, status: { online: true }, feederId: 'elm-street' },
        },
      };
      const sent = client.publishAsync(`der/telemetry/ev/${DEVICE}`, JSON.stringify(body), { qos: 1 });
      waiting.push(sent.then(() => acknowledged.push(timestampMs)));
      await sleep(20);
    }
    await Promise.all(waiting);
    await client.endAsync();
  };
  return { acknowledged, end: report() };
}

const healthy = (): Promise<void> =>
  eventually(
    async () => {
      const { rows: loops } = await owner.query<{ running: boolean }>(
        "select bool_and(finished_at > now() - interval '12 s') as running from control_loops",
      );
      expect(loops[0]?.running).toBe(true);
      expect(await (await fetch(`${system.apiUrl}/api/health`)).json()).toMatchObject({ status: 'ok', problems: [] });
    },
    60_000,
    500,
  );

const ROLES = ['api', 'control', 'ingest', 'jobs'];

/** Connections from before are ended: with the old password none could be made in their place. */
async function everyRoleConnectsAnew(rotatedAt: Date): Promise<void> {
  await owner.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'derms_app' and backend_start < $1",
    [rotatedAt],
  );
  await eventually(
    async () => {
      const { rows } = await owner.query<{ role: string }>(
        `select distinct substring(application_name from '^derms-([a-z]+)') as role from pg_stat_activity
          where usename = 'derms_app' and backend_start > $1`,
        [rotatedAt],
      );
      expect(rows.map(({ role }) => role)).toEqual(expect.arrayContaining(ROLES));
    },
    60_000,
    250,
  );
}

const brokerLog = (): string => readFileSync(`${join(system.stack.folder, 'mosquitto')}.log`, 'utf8');

/** The broker hangs up on who has the old password; jobs has no connection there. */
function everyRoleIsBackAtTheBroker(since: number): void {
  const back = [
    ...brokerLog()
      .slice(since)
      .matchAll(/ connected from \S+ as derms-([a-z]+)-/g),
  ].map(([, role]) => role);
  expect(back).toEqual(expect.arrayContaining(['api', 'control', 'ingest']));
}

it('passwords of PostgreSQL and of the broker change under load without a restart: no request fails, no message is lost', async () => {
  const old = { db: system.secrets.postgresApp, mqtt: system.stack.brokerUser.password };
  const next = { db: drawn(), mqtt: drawn() };
  const pids = (['api', 'worker', 'simulator'] as const).map((name) => system.running(name).pid);
  let mqttPassword = old.mqtt;
  const until = Date.now() + HOW_LONG_MS;
  const load = await askForAWhile(until);
  const device = await reportForAWhile(() => mqttPassword, until);

  await sleep(HOW_LONG_MS / 4);
  load.grow(5);
  await rotateDatabase(next.db);
  const { rows } = await owner.query<{ now: Date }>('select clock_timestamp() as now');
  load.grow(14);
  await sleep(HOW_LONG_MS / 4);
  mqttPassword = next.mqtt;
  const brokerSaid = brokerLog().length;
  await rotateBroker(next.mqtt);
  await Promise.all([load.end, device.end]);
  const rotatedAt = rows[0]!.now;

  expect(load.failed).toEqual([]);
  expect(load.answered()).toBeGreaterThan(50);
  await everyRoleConnectsAnew(rotatedAt);
  everyRoleIsBackAtTheBroker(brokerSaid);
  expect(device.acknowledged.length).toBeGreaterThan(50);
  await eventually(
    async () => {
      const { rows: stored } = await owner.query<{ at: string }>(
        `select (extract(epoch from sampled_at) * 1000)::bigint::text as at
           from telemetry join devices using (device_key) where device_id = $1`,
        [DEVICE],
      );
      const there = new Set(stored.map(({ at }) => Number(at)));
      expect(device.acknowledged.filter((timestampMs) => !there.has(timestampMs))).toEqual([]);
    },
    30_000,
    500,
  );
  await healthy();
  expect((['api', 'worker', 'simulator'] as const).map((name) => system.running(name).pid)).toEqual(pids);
  expect((['api', 'worker', 'simulator'] as const).every((name) => system.running(name).isRunning())).toBe(true);

  const { host, port } = system.stack.postgres;
  const asBefore = new Client({ host, port, user: 'derms_app', password: old.db, database: 'derms' });
  await expect(asBefore.connect()).rejects.toMatchObject({ code: '28P01' });
  const { mosquitto, brokerUser } = system.stack;
  await expect(
    connectAsync({
      ...{ host: mosquitto.host, port: mosquitto.port, username: brokerUser.username, password: old.mqtt },
      ...{ protocolVersion: 5, reconnectPeriod: 0, connectTimeout: 5_000 },
    }),
  ).rejects.toThrow(/not authorized|bad user name/i);
}, 180_000);

it('certificate and API key for Temporal change without a restart: every call and every poll comes with the new ones', async () => {
  const pids = (['api', 'worker'] as const).map((name) => system.running(name).pid);
  temporal.renew('second', 'key-two');

  await eventually(
    async () => {
      const before = temporal.gateway.passed.length;
      temporal.gateway.endWaiting();
      await fetch(`${system.apiUrl}/api/health`);
      await sleep(5_000);
      const since = temporal.gateway.passed.slice(before);
      expect(new Set(since.map(({ client, authorization }) => `${String(client)} ${String(authorization)}`))).toEqual(
        new Set(['second Bearer key-two']),
      );
      // People's questions, the loops' work, and jobs'.
      for (const method of ['Health/Check', 'PollWorkflowTaskQueue', 'PollActivityTaskQueue'])
        expect(since).toContainEqual(expect.objectContaining({ path: expect.stringContaining(method) }));
    },
    90_000,
    0,
  );

  temporal.gateway.apiKey = 'key-two';
  await healthy();
  expect((['api', 'worker'] as const).map((name) => system.running(name).pid)).toEqual(pids);
}, 180_000);
