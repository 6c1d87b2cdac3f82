import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { ChildProcess } from '../servers/child-process';
import { apiUrl, environmentsOf, type Environment } from './environments';
import { startPgBouncer } from './failover/routers';
import { choosePortRange, freePort } from '../servers/free-port';
import { METRICS_OFFSETS, WORKER_ROLES, type StackPorts } from './ports';
import { runProgram, startProgram } from './program';
import { localSecrets, type LocalSecrets, type LocalUser } from './secrets';
import { startTestStack, type TestStack, type TestStackOptions } from './test-stack';

const ROOT = resolve(__dirname, __dirname.endsWith(join('dist', 'local')) ? '../..' : '..');
/** A row of metrics ports, somewhere below the ports that outgoing connections take. */
const METRICS_PORTS = 10;
const METRICS_FROM = 20_000;
const METRICS_SPREAD = 10_000;
/** Programs of ours that run as processes of their own. */
export type ProgramName = 'api' | 'worker' | 'simulator';

/** The whole system as users run it: real servers, and our programs as separate processes; thrown away afterwards. */
export interface TestSystem {
  readonly stack: TestStack;
  readonly apiUrl: string;
  readonly ports: StackPorts;
  readonly secrets: LocalSecrets;
  /** Environment of each program; `database` for a look into the tables as the application sees them. */
  readonly environments: Awaited<ReturnType<typeof environmentsOf>>;
  /** Starts a program and returns when it is ready; `args` are the simulator's. */
  start(program: ProgramName, args?: readonly string[]): Promise<ChildProcess>;
  /** Starts a program and returns at once: it may wait for something that is away. */
  begin(program: ProgramName): Promise<ChildProcess>;
  /** Starts another worker beside the first, under that name and on ports of its own, with all roles or those of a list; returns when it is ready. */
  startReplica(instanceId: string, roles?: string): Promise<ChildProcess>;
  /** Brings the schema up to another build's; what is started from now on is of that build. */
  upgradeTo(dist: string): Promise<void>;
  /** The same, returning at once. */
  beginReplica(instanceId: string): Promise<ChildProcess>;
  /** The running process of such a worker. */
  replica(instanceId: string): ChildProcess;
  /** The running process of a program. */
  running(program: ProgramName): ChildProcess;
  /** Runs the command line to its end; throws with the end of its log when that is not exit code 0. */
  derms(...args: string[]): Promise<void>;
  signIn(user: LocalUser): Promise<string>;
  /** Ends our programs, then the servers, and deletes their data. */
  stop(): Promise<void>;
}

export interface TestSystemOptions extends TestStackOptions {
  /** Set for our programs, over what they would get. */
  readonly env?: Environment;
  /** Another build of our programs than this checkout's `dist/`. */
  readonly dist?: string;
  /** true: passwords of PostgreSQL and of the broker come from files, as Kubernetes mounts them: see `secretFile`. */
  readonly passwordsAsFiles?: boolean;
  /** What our programs find in place of PostgreSQL itself, made before the schema. */
  readonly front?: (stack: TestStack, application: ApplicationLogin) => Promise<ProgramFront>;
}

export interface ApplicationLogin {
  readonly user: string;
  readonly password: string;
}

export interface ProgramFront {
  readonly env: Environment;
  stop(): Promise<void>;
}

const AS_FILES = ['DB_PASSWORD', 'MQTT_PASSWORD'] as const;
/** The file that such a password is read from. */
export const secretFile = ({ folder }: Pick<TestStack, 'folder'>, name: (typeof AS_FILES)[number]): string =>
  join(folder, 'secrets', name);

/** Servers and schema; nothing of ours runs yet: see `start`. */
export async function startTestSystem(options: TestSystemOptions = {}): Promise<TestSystem> {
  const stack = await startTestStack(options);
  try {
    return await prepare(stack, options);
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

async function prepare(stack: TestStack, options: TestSystemOptions): Promise<TestSystem> {
  const { env = {}, front: makeFront = pooledWhenAsked() } = options;
  let { dist = join(ROOT, 'dist') } = options;
  const { passwordsAsFiles = false } = options;
  const ports: StackPorts = {
    postgres: stack.postgres.port,
    mosquitto: stack.mosquitto.port,
    temporal: stack.temporal.port,
    temporalUi: stack.temporal.port + 1_000,
    api: await freePort(),
    metrics: await metricsPorts(),
  };
  const secrets: LocalSecrets = {
    ...localSecrets(join(stack.folder, 'secrets.json')),
    postgresAdmin: stack.postgres.password,
    mqttBackend: stack.brokerUser.password,
    mqttDevices: stack.brokerUser.password,
  };
  const base = await environmentsOf({ folder: stack.folder, ports, secrets, brokerFiles: stack.mosquitto });
  const front = await makeFront?.(stack, { user: 'derms_app', password: secrets.postgresApp });
  const extra = { ...front?.env, ...env };
  const broker = { MQTT_USERNAME: stack.brokerUser.username };
  const with_ = (environment: Environment): Environment => {
    const all = { ...environment, ...extra };
    return passwordsAsFiles ? fromFiles(stack, all) : all;
  };
  const environments = {
    migrate: with_({ ...base.migrate, DB_ADMIN_USER: stack.postgres.superuser }),
    api: with_({ ...base.api, ...broker }),
    worker: with_({ ...base.worker, ...broker }),
    cli: with_({ ...base.cli, ...broker }),
    simulator: with_({ ...base.simulator, ...broker }),
  };
  const running = new Map<ProgramName, ChildProcess>();
  const replicas = new Map<string, ChildProcess>();
  const replicaPorts = new Map<string, number>();
  const readyUrls = readyUrlsOf(ports, rolesOf(environments.worker));
  const programOf = (name: ProgramName) => ({
    name,
    script: join(dist, name, 'main.js'),
    env: environments[name],
    cwd: stack.folder,
    logFile: join(stack.folder, `${name}.log`),
  });
  const startReplica = async (instanceId: string, waits: boolean, roles?: string): Promise<ChildProcess> => {
    const metrics = replicaPorts.get(instanceId) ?? (await metricsPorts());
    replicaPorts.set(instanceId, metrics);
    const program = programOf('worker');
    const env = { ...program.env, ...(roles === undefined ? {} : { WORKER_ROLES: roles }) };
    const replica = await startProgram({
      ...program,
      env: {
        ...env,
        INSTANCE_ID: instanceId,
        METRICS_PORT: String(metrics + METRICS_OFFSETS.worker),
        TEMPORAL_METRICS_PORT: String(metrics + METRICS_OFFSETS.workerSdk),
      },
      logFile: join(stack.folder, `worker-${instanceId}.log`),
      readyUrls: waits ? readyUrlsOf({ ...ports, metrics }, rolesOf(env)).worker : [],
    });
    replicas.set(instanceId, replica);
    return replica;
  };
  const once = (name: string, script: string, args: readonly string[], env: Environment): Promise<void> =>
    runProgram({
      name,
      script: join(dist, script),
      args,
      env,
      cwd: stack.folder,
      logFile: join(stack.folder, `${name}.log`),
    });
  await once('migrate', 'db/migrate-main.js', [], environments.migrate);

  return {
    stack,
    apiUrl: apiUrl(ports),
    ports,
    secrets,
    environments,
    async start(name, args = []) {
      const program = await startProgram({ ...programOf(name), args, readyUrls: readyUrls[name] });
      running.set(name, program);
      return program;
    },
    async begin(name) {
      const program = await startProgram({ ...programOf(name), readyUrls: [] });
      running.set(name, program);
      return program;
    },
    startReplica: (instanceId, roles) => startReplica(instanceId, true, roles),
    beginReplica: (instanceId) => startReplica(instanceId, false),
    async upgradeTo(newer) {
      dist = newer;
      await once('migrate', 'db/migrate-main.js', [], environments.migrate);
    },
    replica(instanceId) {
      const replica = replicas.get(instanceId);
      if (replica === undefined) throw new Error(`no worker ${instanceId} was started`);
      return replica;
    },
    running(name) {
      const program = running.get(name);
      if (program === undefined) throw new Error(`${name} was not started`);
      return program;
    },
    derms: (...args) => once('derms', 'cli/main.js', args, environments.cli),
    signIn: (user) => signIn(apiUrl(ports), user, secrets.users[user]),
    async stop() {
      await Promise.all([running.get('simulator')?.stop(), ...[...replicas.values()].map((replica) => replica.stop())]);
      for (const program of ['worker', 'api'] as const) await running.get(program)?.stop();
      await front?.stop();
      await stack.stop();
    },
  };
}

function fromFiles(stack: TestStack, environment: Environment): Environment {
  mkdirSync(join(stack.folder, 'secrets'), { recursive: true });
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => {
      const found = AS_FILES.find((each) => each === name);
      if (found === undefined) return [name, value];
      const file = secretFile(stack, found);
      writeFileSync(file, `${value}\n`, { mode: 0o600 });
      return [`${name}_FILE`, file];
    }),
  );
}

const metricsPorts = async (): Promise<number> =>
  (await choosePortRange(METRICS_PORTS, METRICS_FROM + Math.floor(Math.random() * METRICS_SPREAD))).port;

const rolesOf = (worker: Environment): readonly string[] => (worker['WORKER_ROLES'] ?? '').split(',');

/** `DERMS_TEST_THROUGH_PGBOUNCER=1`: our programs go through a pooler in transaction mode, migrations and dumps past it. */
const pooledWhenAsked = (): TestSystemOptions['front'] =>
  process.env['DERMS_TEST_THROUGH_PGBOUNCER'] === '1' ? startPooledFront : undefined;

async function startPooledFront(
  { postgres, folder, onSpawn }: TestStack,
  application: ApplicationLogin,
): Promise<ProgramFront> {
  const admin = { user: 'derms_pooler', password: postgres.password };
  const {
    host,
    port,
    process: child,
  } = await startPgBouncer({
    ...{ server: postgres, users: [admin, application], folder, onSpawn },
  });
  return {
    env: { DB_HOST: host, DB_PORT: String(port) },
    stop: async () => {
      await child.stop({ graceMs: 1_000 });
    },
  };
}

function readyUrlsOf(ports: StackPorts, roles: readonly string[]): Record<ProgramName, readonly string[]> {
  const ready = (offset: number): string => `http://127.0.0.1:${String(ports.metrics + offset)}/ready`;
  return {
    api: [`${apiUrl(ports)}/api/ready`],
    worker: ['parent', ...WORKER_ROLES].flatMap((name, index) =>
      name === 'parent' || roles.includes(name) ? [ready(METRICS_OFFSETS.worker + index)] : [],
    ),
    simulator: [ready(METRICS_OFFSETS.simulator)],
  };
}

async function signIn(url: string, user: string, password: string): Promise<string> {
  const response = await fetch(`${url}/api/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user, password }),
    signal: AbortSignal.timeout(5_000),
  });
  if (!response.ok) throw new Error(`${user} could not sign in: ${String(response.status)} ${await response.text()}`);
  return ((await response.json()) as { accessToken: string }).accessToken;
}
