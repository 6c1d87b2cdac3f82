import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMosquitto } from './mosquitto';
import type { MosquittoBroker } from '../servers/mosquitto';
import { startPostgres, type PostgresServer } from './postgres';
import { removeDataFolder } from './postgres-data';
import { beginRunRecord, endLeftovers, ownerOfRun } from './run-record';
import { startTemporal, type TemporalServer } from './temporal';

/** Real servers for tests and benchmarks, on free ports, with data that is thrown away. */
export interface TestStack {
  readonly postgres: PostgresServer;
  readonly mosquitto: MosquittoBroker;
  readonly temporal: TemporalServer;
  /** The broker's one user, who may do everything. */
  readonly brokerUser: { readonly username: string; readonly password: string };
  /** Where everybody's data and logs are. */
  readonly folder: string;
  /** The servers' addresses under the names that our programs read. No database but `postgres` exists yet. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends the three and deletes their data. */
  stop(): Promise<void>;
}

export interface TestStackOptions {
  /** `fast` (default) without fsync; `durable` for benchmarks that judge the database. */
  readonly profile?: 'fast' | 'durable';
  readonly postgresSettings?: Readonly<Record<string, string | number | boolean>>;
  readonly mosquittoConfig?: readonly string[];
  readonly dynamicConfig?: Readonly<Record<string, string | number | boolean>>;
}

const PREFIX = 'derms-test-';
const RECORD = 'run.json';
const MAKING_ONE_TAKES_MS = 60_000;

/** Starts the three in parallel, in about three seconds; ends what a killed test run left behind first. */
export async function startTestStack(options: TestStackOptions = {}): Promise<TestStack> {
  await sweep();
  const folder = mkdtempSync(join(tmpdir(), PREFIX));
  chmodSync(folder, 0o711); // as root, Postgres runs as another user, who must get to its data
  const record = beginRunRecord(join(folder, RECORD));
  const brokerUser = { username: 'derms', password: secret() };
  const recorded = async <T extends { name: string; pid: number }>(starting: Promise<T>): Promise<T> => {
    const server = await starting;
    record.add(server.name, server.pid);
    return server;
  };
  const starting = [
    recorded(
      startPostgres({
        dataDir: join(folder, 'postgres'),
        password: secret(),
        profile: options.profile ?? 'fast',
        settings: options.postgresSettings ?? {},
      }),
    ),
    recorded(
      startMosquitto({
        dataDir: join(folder, 'mosquitto'),
        users: [brokerUser],
        config: options.mosquittoConfig ?? [],
      }),
    ),
    recorded(
      startTemporal({
        headless: true,
        logFile: join(folder, 'temporal.log'),
        dynamicConfig: options.dynamicConfig ?? {},
      }),
    ),
  ] as const;
  const stop = async (): Promise<void> => {
    const outcomes = await Promise.allSettled(starting);
    const started = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    await Promise.all(started.map(({ value }) => value.stop()));
    removeFolder(folder);
  };
  try {
    const [postgres, mosquitto, temporal] = await Promise.all(starting);
    const env = {
      DB_HOST: postgres.host,
      DB_PORT: String(postgres.port),
      DB_ADMIN_USER: postgres.superuser,
      DB_ADMIN_PASSWORD: postgres.password,
      MQTT_HOST: mosquitto.host,
      MQTT_PORT: String(mosquitto.port),
      MQTT_USERNAME: brokerUser.username,
      MQTT_PASSWORD: brokerUser.password,
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_NAMESPACE: temporal.namespace,
    };
    return { postgres, mosquitto, temporal, brokerUser, folder, env, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Ends and removes the stacks of test runs whose process is gone. */
async function sweep(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(PREFIX))) {
    const folder = join(tmpdir(), name);
    const record = join(folder, RECORD);
    try {
      const beingMade = !existsSync(record) && Date.now() - statSync(folder).mtimeMs < MAKING_ONE_TAKES_MS;
      if (beingMade || ownerOfRun(record) !== undefined) continue;
      await endLeftovers(record);
      removeFolder(folder);
    } catch {
      // Another OS user's, or just removed by its owner.
    }
  }
}

function removeFolder(folder: string): void {
  removeDataFolder(join(folder, 'postgres'));
  rmSync(folder, { recursive: true, force: true });
}

function secret(): string {
  return randomBytes(18).toString('base64url');
}
