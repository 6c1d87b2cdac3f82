import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMosquitto } from './mosquitto';
import type { MosquittoBroker } from '../servers/mosquitto';
import { startPostgres } from './postgres';
import type { PostgresServer } from '../servers/postgres';
import { makeRunFolder, sweepRunFolders } from '../servers/run-folder';
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
  /** Enters a process that a test starts beside them: a later run ends it, should this one be killed. */
  readonly onSpawn: (child: { readonly name: string; readonly pid: number }) => void;
  /** Ends the three and deletes their data. */
  stop(): Promise<void>;
}

export interface TestStackOptions {
  /** `fast` (default) without fsync; `durable` for benchmarks that judge the database. */
  readonly profile?: 'fast' | 'durable';
  readonly postgresSettings?: Readonly<Record<string, string | number | boolean>>;
  readonly mosquittoConfig?: readonly string[];
  readonly dynamicConfig?: Readonly<Record<string, string | number | boolean>>;
  /** Where Temporal keeps its data: lost when it ends (default), or in a file of the folder, as in production. */
  readonly temporalData?: 'memory' | 'file';
}

/** Of a stack that keeps Temporal's data. */
export const temporalFile = (folder: string): string => join(folder, 'temporal.db');

const PREFIX = 'derms-test-';
const CLUSTERS = ['postgres', 'postgres-b'];

/** Starts the three in parallel, in about three seconds; ends what a killed test run left behind first. */
export async function startTestStack(options: TestStackOptions = {}): Promise<TestStack> {
  await sweepRunFolders(tmpdir(), PREFIX, CLUSTERS);
  const { path: folder, record, remove } = makeRunFolder(tmpdir(), PREFIX);
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
        ...(options.temporalData === 'file' && { dbFile: temporalFile(folder) }),
        logFile: join(folder, 'temporal.log'),
        dynamicConfig: options.dynamicConfig ?? {},
      }),
    ),
  ] as const;
  const stop = async (): Promise<void> => {
    const outcomes = await Promise.allSettled(starting);
    const started = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    await Promise.all(started.map(({ value }) => value.stop()));
    remove(CLUSTERS);
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
    const onSpawn: TestStack['onSpawn'] = ({ name, pid }) => {
      record.add(name, pid);
    };
    return { postgres, mosquitto, temporal, brokerUser, folder, env, onSpawn, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function secret(): string {
  return randomBytes(18).toString('base64url');
}
