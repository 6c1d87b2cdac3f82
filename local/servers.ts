import { join } from 'node:path';
import { BROKER_USERS, POSTGRES_ADMIN } from './environments';
import { startMosquitto } from './mosquitto';
import type { StackPorts } from './ports';
import { startPostgres } from './postgres';
import type { LocalSecrets } from './secrets';
import type { Component } from './supervisor';
import { startTemporal } from './temporal';

// Stopped last, together: nothing of ours is left that could miss them.
const STAGE = 0;
const GRACE_MS = 3_000;

interface ServerOptions {
  readonly folder: string;
  readonly logs: string;
  readonly ports: StackPorts;
  readonly secrets: LocalSecrets;
  readonly temporalMetricsPort: number;
}

/** The three real servers of the local stack, with their data in its folder. */
export function serverComponents({ folder, logs, ports, secrets, temporalMetricsPort }: ServerOptions) {
  return {
    postgres: {
      name: 'PostgreSQL',
      stage: STAGE,
      graceMs: GRACE_MS,
      start: (options) =>
        startPostgres({
          ...options,
          dataDir: join(folder, 'postgres'),
          port: ports.postgres,
          user: POSTGRES_ADMIN,
          password: secrets.postgresAdmin,
          logFile: join(logs, 'postgres.log'),
        }),
    },
    mosquitto: {
      name: 'Mosquitto',
      stage: STAGE,
      graceMs: GRACE_MS,
      start: (options) =>
        startMosquitto({
          ...options,
          dataDir: brokerFolder(folder),
          port: ports.mosquitto,
          users: [
            { username: BROKER_USERS.backend, password: secrets.mqttBackend },
            { username: BROKER_USERS.devices, password: secrets.mqttDevices },
          ],
          logFile: join(logs, 'mosquitto.log'),
        }),
    },
    temporal: {
      name: 'Temporal',
      stage: STAGE,
      graceMs: GRACE_MS,
      start: (options) =>
        startTemporal({
          ...options,
          dbFile: join(folder, 'temporal.db'),
          port: ports.temporal,
          uiPort: ports.temporalUi,
          metricsPort: temporalMetricsPort,
          logFile: join(logs, 'temporal.log'),
        }),
    },
  } satisfies Record<string, Component>;
}

/** Of the local stack's broker, below the stack's own folder. */
export const brokerFolder = (folder: string): string => join(folder, 'mosquitto');
