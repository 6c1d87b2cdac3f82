import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ChildProcess } from '../../servers/child-process';
import { choosePortRange, LOOPBACK } from '../../servers/free-port';
import { backupPrograms, type Environment } from '../environments';
import type { DatabaseFront } from '../failover/database-front';
import { runProgram, startProgram } from '../program';
import { readToolchain, repositoryRoot } from '../toolchain';
import type { Ground } from './ground';
import type { Part, Parts } from './parts';

/** How many of a service there are in production, and which of its ports are asked whether it is ready. */
export const REPLICATED = { api: ['a', 'b'], control: ['a', 'b'], ingest: ['a', 'b'], jobs: ['a', 'b'] } as const;
export const AGENTS = ['broker-agent-active', 'broker-agent-standby'] as const;
type Service = keyof typeof REPLICATED | (typeof AGENTS)[number] | 'simulator';

/** Ports of one container of ours, where each has an address of its own: see deploy/compose/targets/derms. */
const API_PORT = 8080;
const METRICS_PORT = 9464;
const ROLES = ['control', 'jobs', 'ingest', 'broker-agent'];
/** 9464 to 9473: parent and roles, then the SDK's own of each. */
const ROW = 10;
/** Ten of ours start at once, on as many cores as there are, ms. */
const READY_WITHIN_MS = 300_000;
const SDK = 5;
const ROW_FROM = 20_000;
const ROW_SPREAD = 10_000;

/** A process of ours that runs, and what it was given. */
export interface Program {
  /** `api-a`. */
  readonly name: string;
  readonly service: Service;
  readonly env: Environment;
  /** Where a port of its container lies. */
  readonly at: (port: number) => string;
}

export class Programs {
  private readonly started: Program[] = [];

  constructor(
    private readonly ground: Ground,
    private readonly parts: Parts,
    private readonly front: DatabaseFront,
    /** Set for all of them, over what compose says. */
    private readonly more: Environment = {},
  ) {}

  all(): readonly Program[] {
    return this.started;
  }

  of(service: Service): readonly Program[] {
    return this.started.filter((program) => program.service === service);
  }

  /** Runs a service to its end: migrations, and the registry of the fleet. `more` wins over what compose says. */
  async run(service: 'migrate' | 'registry', more: Environment = {}): Promise<void> {
    const env = { ...this.environmentOf(service), ...more };
    await runProgram({ ...this.programOf(service, service), env, ...this.spawned() });
  }

  /** All replicas of a service at once; settles when they are ready. `args` instead of those that compose gives. */
  async start(service: Service, args?: readonly string[]): Promise<void> {
    const replicas: readonly string[] = service in REPLICATED ? REPLICATED[service as keyof typeof REPLICATED] : [''];
    this.parts.add(...(await Promise.all(replicas.map((replica) => this.startReplica(service, replica, args)))));
  }

  private async startReplica(service: Service, replica: string, args?: readonly string[]): Promise<Part> {
    const name = replica === '' ? service : `${service}-${replica}`;
    const { port: first } = await choosePortRange(ROW, ROW_FROM + Math.floor(Math.random() * ROW_SPREAD));
    const portAt = (port: number): number => first + (port === API_PORT ? 0 : port - METRICS_PORT);
    const at = (port: number): string => `${LOOPBACK}:${String(portAt(port))}`;
    const base = this.environmentOf(service);
    const env = {
      ...base,
      ...(replica === '' ? {} : { INSTANCE_ID: `${base['INSTANCE_ID'] ?? ''}-${replica}` }),
      ...(service === 'api'
        ? { API_PORT: String(first), TRUST_PROXY: LOOPBACK }
        : { METRICS_PORT: String(first), TEMPORAL_METRICS_PORT: String(first + SDK) }),
    };
    const program = this.programOf(service, name);
    const launch = (): Promise<ChildProcess> =>
      startProgram({
        ...program,
        args: args ?? program.args,
        env,
        readyUrls: readyUrls(env, at),
        readyWithinMs: READY_WITHIN_MS,
        ...this.spawned(),
      });
    let child = await launch();
    this.started.push({ name, service, env, at });
    return {
      ...{ name, from: `compose ${service}`, address: at(service === 'api' ? API_PORT : METRICS_PORT) },
      process: () => child,
      stop: () => child.stop({ graceMs: 15_000 }),
      async startAgain() {
        child = await launch();
      },
    };
  }

  private environmentOf(service: string): Environment {
    const env = this.ground.environment(service);
    const scratch = env['RESTORE_SCRATCH_DIR'];
    if (scratch !== undefined) mkdirSync(scratch, { recursive: true });
    const { DB_DIRECT_HOST, DB_DIRECT_PORT } = this.front.env;
    return {
      ...env,
      ...(env['DB_HOST'] === undefined ? {} : { DB_DIRECT_HOST, DB_DIRECT_PORT }),
      // Of the image that the role `jobs` has, where this machine has them.
      ...(service === 'jobs' ? opsPrograms() : {}),
      ...this.more,
    };
  }

  private programOf(service: string, name: string) {
    const [node, script = '', ...args] = this.ground.command(service);
    if (node !== 'node') throw new Error(`compose starts ${service} by ${node ?? 'nothing'}: only node is known here`);
    const root = repositoryRoot();
    return {
      name,
      script: join(root, script),
      args: args.map((word) => (word.startsWith('deploy/') ? join(root, word) : word)),
      // An empty one: a program reads `.env` of the folder that it is started in.
      cwd: this.ground.workFolder(),
      logFile: join(this.ground.folder, `${name}.log`),
    };
  }

  private spawned() {
    return { onSpawn: this.parts.onSpawn };
  }
}

function opsPrograms(): Environment {
  const { path, libraryPath } = readToolchain().mosquitto;
  return {
    ...backupPrograms(),
    MOSQUITTO_PATH: path,
    ...(libraryPath !== undefined && { MOSQUITTO_LIBRARY_PATH: libraryPath }),
  };
}

function readyUrls(env: Environment, at: (port: number) => string): readonly string[] {
  if (env['API_PORT'] !== undefined) return [`http://${at(API_PORT)}/api/ready`];
  const role = ROLES.indexOf(env['WORKER_ROLES'] ?? '');
  return [METRICS_PORT, ...(role < 0 ? [] : [METRICS_PORT + 1 + role])].map((port) => `http://${at(port)}/ready`);
}
