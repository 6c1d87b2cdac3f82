import { Worker, type NativeConnection } from '@temporalio/worker';
import { failureInterceptor } from '../activities/failure-interceptor';
import type { TemporalAccess } from '../temporal/access';
import { renewConnection } from '../temporal/renew-connection';
import type { RoleProcess } from './role-process';

export interface QueueOptions {
  /** Of this worker alone: it is closed with it. */
  readonly connection: NativeConnection;
  /** How it was made, and is made again when what it rests on was renewed. */
  readonly access: TemporalAccess;
  readonly taskQueue: string;
  /** Left out by a worker that takes activities only. */
  readonly workflowBundlePath?: string;
  readonly activities: object;
  readonly maxConcurrentActivities: number;
}

/** A dead worker's sticky queue is given up after this. */
const STICKY_TIMEOUT = '5s';
/** Running activities get this long at a stop, then they are cancelled, then left. */
const GRACE = '3s';
const FORCE = '5s';

type TemporalRole = RoleProcess<'TEMPORAL_NAMESPACE' | 'TEMPORAL_MAX_CACHED_WORKFLOWS' | 'INSTANCE_ID'>;

/** Polls one task queue until the role is stopped; a worker that fails ends the process. */
export async function startTemporalWorker(role: TemporalRole, options: QueueOptions): Promise<void> {
  const { settings, log, shutdown } = role;
  const worker = await Worker.create({
    connection: options.connection,
    namespace: settings.TEMPORAL_NAMESPACE,
    taskQueue: options.taskQueue,
    ...(options.workflowBundlePath !== undefined && { workflowBundle: { codePath: options.workflowBundlePath } }),
    activities: options.activities,
    interceptors: { activity: [() => ({ inbound: failureInterceptor })] },
    identity: `derms-${options.taskQueue}-${settings.INSTANCE_ID}@${String(process.pid)}`,
    maxCachedWorkflows: settings.TEMPORAL_MAX_CACHED_WORKFLOWS,
    maxConcurrentActivityTaskExecutions: options.maxConcurrentActivities,
    stickyQueueScheduleToStartTimeout: STICKY_TIMEOUT,
    shutdownGraceTime: GRACE,
    shutdownForceTime: FORCE,
  });
  const disconnect = renewConnection(worker, options.connection, { access: options.access, log });
  const ended = worker.run().then(
    () => 'stopped' as const,
    (err: unknown) => {
      if (!shutdown.stopping) {
        log.fatal({ err, taskQueue: options.taskQueue }, 'the Temporal worker failed');
        process.exit(1);
      }
      log.warn({ err, taskQueue: options.taskQueue }, 'the Temporal worker did not stop in time');
      return 'given up' as const;
    },
  );
  shutdown.add(`queue ${options.taskQueue}`, async () => {
    worker.shutdown();
    await ended;
    await disconnect();
  });
}
