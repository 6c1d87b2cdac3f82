import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { loadSettings, loadSomeSettings } from '../config/load';
import type { Settings } from '../config/schema';
import { Secrets } from '../config/secrets';
import { createLogger, type Logger } from '../observability/logger';
import { Counter, createRegistry, Gauge } from '../observability/metrics';
import { startProbeServer } from '../observability/probe-server';
import { ShutdownList } from '../observability/shutdown';
import { AGENT_SETTINGS } from './agent-settings';
import { portOfRole } from './role-ports';

type Role = Settings['WORKER_ROLES'][number];
type WorkerSettings = Pick<Settings, (typeof AGENT_SETTINGS)[number]>;

/**
 * Forks one child process per role and restarts one that dies: roles never share a process, so that neither a burst of
 * telemetry nor a backup delays a control cycle.
 */

/** Roles get this long to stop before they are killed, ms. */
const ROLE_STOP_MS = 9_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
/** A child that lived this long starts with the first pause again, ms. */
const SETTLED_MS = 60_000;

async function main(): Promise<void> {
  const settings = workerSettings();
  const log = createLogger({
    service: 'derms',
    role: 'worker',
    level: settings.LOG_LEVEL,
    pretty: settings.LOG_PRETTY,
    secrets: new Secrets(process.env).seen,
  });
  const shutdown = new ShutdownList(log, ROLE_STOP_MS + 500);
  const registry = createRegistry('worker');
  const metrics = {
    up: new Gauge({
      name: 'derms_worker_role_up',
      help: 'The role has a running process.',
      labelNames: ['worker_role'],
      registers: [registry],
    }),
    restarts: new Counter({
      name: 'derms_worker_role_restarts_total',
      help: 'Times the process of a role was started again.',
      labelNames: ['worker_role'],
      registers: [registry],
    }),
  };
  const roles = settings.WORKER_ROLES.map((role) => keepRole(role, settings, log, metrics));
  shutdown.add('roles', () => Promise.all(roles.map((role) => role.stop())));
  const probes = await startProbeServer({
    host: settings.METRICS_HOST,
    port: settings.METRICS_PORT,
    registry,
    metricsPath: settings.PROMETHEUS_PATH,
    metricsEnabled: settings.PROMETHEUS_ENABLED,
    notReady: () => roles.find((role) => !role.running())?.name ?? null,
  });
  shutdown.add('probes', probes.close);
  shutdown.listen();
}

/** A bad environment is told once, here, with all its faults. An agent alone needs less than the other roles. */
function workerSettings(): WorkerSettings {
  const { WORKER_ROLES: roles } = loadSomeSettings(['WORKER_ROLES'], process.env);
  const isAgentOnly = roles.every((role) => role === 'broker-agent');
  return isAgentOnly ? loadSomeSettings(AGENT_SETTINGS, process.env) : loadSettings(process.env);
}

interface RoleMetrics {
  readonly up: Gauge<'worker_role'>;
  readonly restarts: Counter<'worker_role'>;
}

function keepRole(role: Role, settings: WorkerSettings, log: Logger, metrics: RoleMetrics) {
  let child: ChildProcess | null = null;
  let stopping = false;
  let pauseMs = FIRST_PAUSE_MS;
  let timer: NodeJS.Timeout | undefined;
  metrics.restarts.inc({ worker_role: role }, 0);

  const start = (): void => {
    const startedAt = Date.now();
    const started = fork(join(__dirname, 'roles', role), [], { env: { ...process.env, ...portsOf(role, settings) } });
    child = started;
    metrics.up.set({ worker_role: role }, 1);
    log.info({ workerRole: role, pid: started.pid }, 'role started');
    started.once('exit', (code, signal) => {
      child = null;
      metrics.up.set({ worker_role: role }, 0);
      if (stopping) return;
      if (Date.now() - startedAt > SETTLED_MS) pauseMs = FIRST_PAUSE_MS;
      log.error({ workerRole: role, code, signal, pauseMs }, 'role died; it is started again');
      metrics.restarts.inc({ worker_role: role });
      timer = setTimeout(start, pauseMs * (0.75 + Math.random() / 2));
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
    });
  };
  start();

  return {
    name: `role ${role}`,
    running: (): boolean => child !== null,
    async stop(): Promise<void> {
      stopping = true;
      clearTimeout(timer);
      const running = child;
      if (running === null) return;
      const exited = new Promise<void>((resolve) =>
        running.once('exit', () => {
          resolve();
        }),
      );
      running.kill('SIGTERM');
      const killer = setTimeout(() => {
        log.warn({ workerRole: role }, 'role did not stop in time and is killed');
        running.kill('SIGKILL');
      }, ROLE_STOP_MS);
      await exited;
      clearTimeout(killer);
    },
  };
}

const portsOf = (role: Role, settings: WorkerSettings): Record<string, string> => ({
  METRICS_PORT: String(portOfRole(settings.METRICS_PORT, role)),
  TEMPORAL_METRICS_PORT: String(portOfRole(settings.TEMPORAL_METRICS_PORT, role)),
});

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
