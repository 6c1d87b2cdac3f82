import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiUrl, environmentsOf, type Environment, type Environments } from './environments';
import { LOOPBACK } from '../servers/free-port';
import { brokerFiles } from '../servers/mosquitto';
import { METRICS_OFFSETS, WORKER_ROLES, type StackPorts } from './ports';
import { runProgram, startProgram } from './program';
import type { Progress } from './progress';
import type { LocalSecrets } from './secrets';
import { brokerFolder, serverComponents } from './servers';
import type { Component, Supervisor } from './supervisor';

export interface StackOptions {
  /** Root of the checkout; programs are in `dist/` below it. */
  readonly root: string;
  /** Data, logs and passwords: `.local`. */
  readonly folder: string;
  readonly ports: StackPorts;
  readonly secrets: LocalSecrets;
  readonly supervisor: Supervisor;
  readonly progress: Progress;
}

/** The registry file whose tree the local stack shows. */
export const DEMO_REGISTRY = join('deploy', 'registry', 'demo.yaml');
const STAGES = { backend: 1, simulator: 2 } as const;

/**
 * Brings the whole local stack up: the three servers together, then schema, API and worker, registry, simulated fleet.
 * Throws when a part cannot be started; what runs by then is the supervisor's to stop.
 */
export async function startStack(options: StackOptions): Promise<void> {
  const { ports, progress, supervisor } = options;
  const environments = await environmentsOf({ ...options, brokerFiles: brokerFiles(brokerFolder(options.folder)) });
  writeEnvironmentForHands(options.folder, environments.cli);
  const { postgres, mosquitto, temporal } = serverComponents({
    ...options,
    logs: join(options.folder, 'logs'),
    temporalMetricsPort: ports.metrics + METRICS_OFFSETS.temporal,
  });
  const { api, worker, simulator } = programComponents(options, environments);
  const up = (component: Component, where: string): Promise<void> =>
    progress.step(component.name, where, () => supervisor.start(component));

  const schema = up(postgres, `${LOOPBACK}:${ports.postgres}`).then(() => migrate(options, environments.migrate));
  await Promise.all([
    schema,
    up(mosquitto, `${LOOPBACK}:${ports.mosquitto}`),
    up(temporal, `${LOOPBACK}:${ports.temporal}, UI ${LOOPBACK}:${ports.temporalUi}`),
  ]);
  await Promise.all([up(api, apiUrl(ports)), up(worker, `roles ${WORKER_ROLES.join(', ')}`)]);
  await applyRegistry(options, environments.cli);
  await up(simulator, DEMO_REGISTRY);
}

function programComponents(
  options: StackOptions,
  environments: Environments,
): Record<'api' | 'worker' | 'simulator', Component> {
  const { root, folder, ports } = options;
  const program = (name: string, env: Environment, readyUrls: readonly string[], args: readonly string[] = []) =>
    ({
      name,
      start: (start) =>
        startProgram({
          ...start,
          name,
          script: join(root, 'dist', name, 'main.js'),
          args,
          env,
          cwd: root,
          logFile: join(folder, 'logs', `${name}.log`),
          readyUrls,
        }),
    }) satisfies Partial<Component>;
  const ready = (port: number): string => `http://${LOOPBACK}:${port}/ready`;
  const workerPort = ports.metrics + METRICS_OFFSETS.worker;
  const workerUrls = ['parent', ...WORKER_ROLES].map((_, index) => ready(workerPort + index));
  const simulatorUrls = [ready(ports.metrics + METRICS_OFFSETS.simulator)];
  return {
    api: { ...program('api', environments.api, [`${apiUrl(ports)}/api/ready`]), stage: STAGES.backend, graceMs: 4_500 },
    worker: { ...program('worker', environments.worker, workerUrls), stage: STAGES.backend, graceMs: 4_500 },
    simulator: {
      ...program('simulator', environments.simulator, simulatorUrls, ['--registry', join(root, DEMO_REGISTRY)]),
      stage: STAGES.simulator,
      graceMs: 2_000,
    },
  };
}

function migrate(options: StackOptions, env: Environment): Promise<void> {
  return options.progress.step('schema', 'migrations', () =>
    runOnce('migrate', 'db/migrate-main.js', [], env, options),
  );
}

/** Applied when it is new or changed, so that what people changed since survives a restart. */
async function applyRegistry(options: StackOptions, env: Environment): Promise<void> {
  const file = join(options.root, DEMO_REGISTRY);
  const marker = join(options.folder, 'registry.applied');
  const digest = createHash('sha256').update(readFileSync(file)).digest('hex');
  if (existsSync(marker) && readFileSync(marker, 'utf8') === digest) return;
  await options.progress.step('registry', DEMO_REGISTRY, () =>
    runOnce('registry', 'cli/main.js', ['registry', 'apply', file], env, options),
  );
  writeFileSync(marker, digest);
}

function runOnce(
  name: string,
  script: string,
  args: readonly string[],
  env: Environment,
  { root, folder, supervisor }: StackOptions,
): Promise<void> {
  return runProgram({
    ...supervisor.startOptions(name),
    name,
    script: join(root, 'dist', ...script.split('/')),
    args,
    env,
    cwd: root,
    logFile: join(folder, 'logs', `${name}.log`),
  });
}

/** For `npm run derms` in another terminal: addresses and an admin's password, readable by the owner only. */
function writeEnvironmentForHands(folder: string, env: Environment): void {
  const lines = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  writeFileSync(join(folder, 'derms.env'), `${lines.join('\n')}\n`, { mode: 0o600 });
}
