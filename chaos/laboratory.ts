import { dirname, join } from 'node:path';
import { backupBucket } from './bucket';
import { startMosquitto } from '../local/mosquitto';
import { startPostgres } from '../local/postgres';
import { startTemporal } from '../local/temporal';
import { temporalFile, type TestStack } from '../local/test-stack';
import { startTestSystem, type TestSystem } from '../local/test-system';
import { readToolchain, repositoryRoot } from '../local/toolchain';
import type { Environment } from '../local/environments';
import { startVersitygw, type VersitygwServer } from '../local/versitygw';
import type { MosquittoBroker } from '../servers/mosquitto';
import {
  linkComponent,
  roleComponent,
  roleOf,
  serverComponent,
  type Component,
  type Running,
  type ServerComponent,
} from './component';
import { startLink, type Link } from './links';

/** The whole system with two brokers and two workers, each of its roads through a proxy, and all that can be broken of it. */
export interface Laboratory {
  readonly system: TestSystem;
  readonly brokers: readonly [ChaosBroker, ChaosBroker];
  /** What can be broken; complete once `startPrograms` has returned. */
  components(): readonly Component[];
  /** Pids of the parts, by name; a role that is just being started again is not among them. */
  pids(): ReadonlyMap<string, number>;
  startPrograms(): Promise<void>;
  /** Ends everything, and deletes its data. */
  stop(): Promise<void>;
}

export interface ChaosBroker {
  readonly name: string;
  /** Of the server itself, for onlookers. */
  readonly host: string;
  readonly port: number;
  /** What devices are told. */
  readonly devicesPort: number;
}

export interface LaboratoryOptions {
  /** Another build of our programs. */
  readonly dist?: string;
  /** Default 2. */
  readonly workers?: 1 | 2;
}

/** Brokers save often, so that a short run can see a kill that loses nothing but what was not saved, s. */
export const AUTOSAVE_SECONDS = 5;
const BROKER_CONFIG = [`autosave_interval ${String(AUTOSAVE_SECONDS)}`];
/** A killed process loses nothing without fsync, and a machine that goes down is not part of it. */
const POSTGRES_SETTINGS = { fsync: false, full_page_writes: true, synchronous_commit: true } as const;
const SECOND = 'second';
const ROLES = ['control', 'ingest', 'jobs'] as const;

interface Network {
  readonly links: readonly Link[];
  readonly standby: MosquittoBroker;
  readonly storage: VersitygwServer | undefined;
  readonly env: Environment;
  readonly devicePorts: readonly [number, number];
}

/** Servers, network and schema; none of our programs run yet. */
export async function startLaboratory({ dist, workers = 2 }: LaboratoryOptions = {}): Promise<Laboratory> {
  let network: Network | undefined;
  const servers: ServerComponent[] = [];
  const system = await startTestSystem({
    temporalData: 'file',
    postgresSettings: POSTGRES_SETTINGS,
    mosquittoConfig: BROKER_CONFIG,
    ...(dist === undefined ? {} : { dist }),
    front: async (stack) => {
      network = await startNetwork(stack);
      const { env, links } = network;
      return {
        env,
        stop: async () => {
          for (const { process } of links) {
            process.resume();
            await process.kill();
          }
          for (const server of servers) await server.stop();
        },
      };
    },
  });
  if (network === undefined) throw new Error('the network was not made'); // it was, above
  const { links, standby, storage, devicePorts } = network;
  servers.push(...serversOf(system.stack, standby, storage));
  const programs: ServerComponent[] = [];
  const roles: { readonly name: string; readonly worker: ServerComponent; readonly script: string }[] = [];
  const { host, port } = system.stack.mosquitto;
  return {
    system,
    brokers: [
      { name: 'broker-a', host, port, devicesPort: devicePorts[0] },
      { name: 'broker-b', host: standby.host, port: standby.port, devicesPort: devicePorts[1] },
    ],
    components: () => [
      ...programs,
      ...roles.map(({ name, script, worker }) => roleComponent(name, script, () => worker.running())),
      ...servers,
      ...links.map(linkComponent),
    ],
    pids() {
      const parts = [...programs, ...servers].map((part) => [part.name, part.running().pid] as const);
      const ofRoles = roles.flatMap(({ name, script, worker }) => {
        const pid = roleOf(worker.running().pid, script);
        return pid === undefined ? [] : [[name, pid] as const];
      });
      return new Map([...parts, ...ofRoles]);
    },
    async startPrograms() {
      const first = await Promise.all([
        system.start('api'),
        system.start('worker'),
        ...(workers === 2 ? [system.startReplica(SECOND)] : []),
      ]);
      const again = [() => system.begin('api'), () => system.begin('worker'), () => system.beginReplica(SECOND)];
      first.forEach((running, index) => {
        const isApi = index === 0;
        const name = isApi ? 'api' : `worker-${String(index)}`;
        const kinds = isApi
          ? (['kill', 'hang', 'restart'] as const)
          : (['kill', 'kill-parent', 'hang', 'restart'] as const);
        const part = serverComponent(name, kinds, running, again[index] ?? (() => system.begin('api')));
        programs.push(part);
        if (isApi) return;
        const scripts = join(dist ?? join(repositoryRoot(), 'dist'), 'worker', 'roles');
        for (const role of ROLES) roles.push({ name: `${name}/${role}`, worker: part, script: join(scripts, role) });
      });
    },
    stop: () => system.stop(),
  };
}

/** One link for each road of ours, and two for the devices. */
async function startNetwork(stack: TestStack): Promise<Network> {
  const { folder, onSpawn, postgres, mosquitto, temporal, brokerUser } = stack;
  const standby = await startMosquitto({
    ...{ dataDir: join(folder, 'mosquitto-b'), users: [brokerUser], config: BROKER_CONFIG, onSpawn },
  });
  // Without it backups go to a folder, and no fault is one of the storage.
  const storage =
    readToolchain().versitygw === undefined ? undefined : await startVersitygw({ folder: join(folder, 's3'), onSpawn });
  const link = (name: string, port: number): Promise<Link> => startLink({ name, port, folder, onSpawn });
  const [toPostgres, toTemporal, toBrokerA, toBrokerB, devicesA, devicesB] = await Promise.all([
    link('postgres', postgres.port),
    link('temporal', temporal.port),
    link('broker-a', mosquitto.port),
    link('broker-b', standby.port),
    link('devices-a', mosquitto.port),
    link('devices-b', standby.port),
  ]);
  const toStorage = storage === undefined ? undefined : await link('storage', Number(new URL(storage.endpoint).port));
  const bucket = storage === undefined || toStorage === undefined ? {} : await backupBucket(storage, toStorage.port);
  return {
    links: [toPostgres, toTemporal, toBrokerA, toBrokerB, devicesA, devicesB, ...(toStorage ? [toStorage] : [])],
    ...{ standby, storage },
    devicePorts: [devicesA.port, devicesB.port],
    env: {
      DB_PORT: String(toPostgres.port),
      TEMPORAL_ADDRESS: `${toTemporal.host}:${String(toTemporal.port)}`,
      MQTT_PORT: String(toBrokerA.port),
      MQTT_STANDBY_HOST: toBrokerB.host,
      MQTT_STANDBY_PORT: String(toBrokerB.port),
      ...bucket,
    },
  };
}

/** Each comes back on its port, with its data. */
function serversOf(
  { postgres, mosquitto, temporal, brokerUser, folder, onSpawn }: TestStack,
  standby: MosquittoBroker,
  storage: VersitygwServer | undefined,
): ServerComponent[] {
  const all = ['kill', 'hang', 'restart'] as const;
  const broker =
    ({ storeFile, port }: MosquittoBroker) =>
    (): Promise<Running> =>
      startMosquitto({ dataDir: dirname(storeFile), port, users: [brokerUser], config: BROKER_CONFIG, onSpawn });
  return [
    serverComponent('temporal', all, temporal, () =>
      startTemporal({ headless: true, port: temporal.port, dbFile: temporalFile(folder), onSpawn }),
    ),
    serverComponent('postgres', all, postgres, () =>
      startPostgres({
        ...{ dataDir: postgres.dataDir, port: postgres.port, settings: POSTGRES_SETTINGS, onSpawn },
        ...{ user: postgres.superuser, password: postgres.password },
      }),
    ),
    serverComponent('broker-a', all, mosquitto, broker(mosquitto)),
    serverComponent('broker-b', all, standby, broker(standby)),
    ...(storage === undefined
      ? []
      : [
          serverComponent('storage', ['kill', 'hang'], storage, () => {
            const { secretAccessKey, endpoint } = storage;
            const port = Number(new URL(endpoint).port);
            return startVersitygw({ folder: join(folder, 's3'), port, secretAccessKey, onSpawn });
          }),
        ]),
  ];
}
