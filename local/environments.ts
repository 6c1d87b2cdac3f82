import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LOOPBACK } from '../servers/free-port';
import { METRICS_OFFSETS, WORKER_ROLES, type StackPorts } from './ports';
import { authUsers, writeSecretDates, type LocalSecrets } from './secrets';
import { readToolchain } from './toolchain';
import type { MosquittoBroker } from '../servers/mosquitto';

/** Environment variables of one of our programs. */
export type Environment = Readonly<Record<string, string>>;

/** Which program gets to know what: only the migrations have the owner's password, only the API signs tokens. */
export interface Environments {
  readonly migrate: Environment;
  readonly api: Environment;
  readonly worker: Environment;
  readonly cli: Environment;
  readonly simulator: Environment;
}

export const BROKER_USERS = { backend: 'derms', devices: 'devices' } as const;
export const POSTGRES_ADMIN = 'derms_admin';

export interface StackFacts {
  /** Where the stack keeps its state. */
  readonly folder: string;
  readonly ports: StackPorts;
  readonly secrets: LocalSecrets;
  /** Where the broker keeps what a backup of it needs. */
  readonly brokerFiles: Pick<MosquittoBroker, 'storeFile' | 'pidFile'>;
}

/** What is told to each program of the local stack; it wins over `.env`, the rest of which they read themselves. */
export async function environmentsOf({ folder, ports, secrets, brokerFiles }: StackFacts): Promise<Environments> {
  const metricsPort = (offset: number): string => String(ports.metrics + offset);
  const database = {
    DB_HOST: LOOPBACK,
    DB_PORT: String(ports.postgres),
    DB_DIRECT_HOST: LOOPBACK,
    DB_DIRECT_PORT: String(ports.postgres),
    DB_NAME: 'derms',
    DB_USER: 'derms_app',
    DB_PASSWORD: secrets.postgresApp,
  };
  const broker = { MQTT_HOST: LOOPBACK, MQTT_PORT: String(ports.mosquitto) };
  const temporal = {
    TEMPORAL_ADDRESS: `${LOOPBACK}:${ports.temporal}`,
    TEMPORAL_NAMESPACE: 'derms',
    TEMPORAL_UI_URL: `http://${LOOPBACK}:${ports.temporalUi}`,
  };
  const backend = {
    ...database,
    ...broker,
    ...temporal,
    MQTT_USERNAME: BROKER_USERS.backend,
    MQTT_PASSWORD: secrets.mqttBackend,
    INSTANCE_ID: 'local',
    SECRETS_DATES_FILE: writeSecretDates(join(folder, 'secret-dates.json'), secrets),
  };
  const backupRole = { BACKUP_DB_USER: 'derms_backup', BACKUP_DB_PASSWORD: secrets.postgresBackup };
  const hands = { DERMS_API_URL: apiUrl(ports), DERMS_USER: 'admin', DERMS_PASSWORD: secrets.users.admin };
  return {
    migrate: { ...database, ...backupRole, DB_ADMIN_USER: POSTGRES_ADMIN, DB_ADMIN_PASSWORD: secrets.postgresAdmin },
    api: {
      ...backend,
      API_HOST: LOOPBACK,
      API_PORT: String(ports.api),
      JWT_SECRET: secrets.jwtSecret,
      AUTH_USERS: await authUsers(secrets),
    },
    worker: {
      ...backend,
      ...backupRole,
      BACKUP_STORAGE: pathToFileURL(join(folder, 'backups')).href,
      BACKUP_ENCRYPTION_KEYS: secrets.backupKeys,
      ...backupPrograms(),
      ...brokerBackup(brokerFiles),
      WORKER_ROLES: WORKER_ROLES.join(','),
      METRICS_HOST: LOOPBACK,
      METRICS_PORT: metricsPort(METRICS_OFFSETS.worker),
      TEMPORAL_METRICS_PORT: metricsPort(METRICS_OFFSETS.workerSdk),
      DRILL_METRICS_URL: `${apiUrl(ports)}/metrics`,
    },
    cli: { ...backend, ...hands },
    simulator: {
      ...broker,
      MQTT_USERNAME: BROKER_USERS.devices,
      MQTT_PASSWORD: secrets.mqttDevices,
      METRICS_HOST: LOOPBACK,
      METRICS_PORT: metricsPort(METRICS_OFFSETS.simulator),
      INSTANCE_ID: 'local',
    },
  };
}

/** The very programs that the set-up found. */
export function backupPrograms(): Environment {
  const { postgres, zstd } = readToolchain();
  return {
    POSTGRES_BIN_DIR: postgres.bin,
    ...(postgres.libraryPath !== undefined && { POSTGRES_LIBRARY_PATH: postgres.libraryPath }),
    ZSTD_PATH: zstd.path,
    ...(zstd.libraryPath !== undefined && { ZSTD_LIBRARY_PATH: zstd.libraryPath }),
  };
}

function brokerBackup({ storeFile, pidFile }: StackFacts['brokerFiles']): Environment {
  const { path, libraryPath } = readToolchain().mosquitto;
  return {
    BROKER_STORE_PATH: storeFile,
    BROKER_PID_FILE: pidFile,
    MOSQUITTO_PATH: path,
    ...(libraryPath !== undefined && { MOSQUITTO_LIBRARY_PATH: libraryPath }),
  };
}

/** Where the API of the local stack answers. */
export function apiUrl(ports: StackPorts): string {
  return `http://${LOOPBACK}:${ports.api}`;
}
