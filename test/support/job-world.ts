import { NativeConnection, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { failureInterceptor } from '../../activities/failure-interceptor';
import { createJobActivities } from '../../activities/jobs';
import { createJobRunStore } from '../../db/job-runs';
import type { JobDeclaration } from '../../jobs/runner/declaration';
import type { JobPorts } from '../../jobs/runner/ports';
import { closedWorkflow } from '../../temporal/closed-workflow';
import { createTestDatabase, createTestNamespace, testLog, type TestDatabase, type TestNamespace } from './servers';

/** Real Temporal and Postgres, and a worker of the jobs role with jobs of one's own. */
export interface JobWorld {
  readonly temporal: TestNamespace;
  readonly database: TestDatabase;
  /** Runs `story` while a worker of the jobs role is there. */
  withWorker<T>(jobs: readonly JobDeclaration[], story: () => Promise<T>): Promise<T>;
  /** The row of a run as it is now. */
  row(runId: string): Promise<RunRow | undefined>;
  /** What the run's story tells, in order, as `kind what`. */
  story(runId: string): Promise<string[]>;
  close(): Promise<void>;
}

export interface RunRow {
  readonly run_id: string;
  readonly state: string;
  readonly origin: string;
  readonly result: unknown;
  readonly failure: { code: string; message: string } | null;
  readonly attempt: number;
  readonly progress: unknown;
  readonly skipped_for: string | null;
  readonly released_at: Date | null;
  readonly cancel_acknowledged_at: Date | null;
}

const NO_PORTS = { now: () => new Date() } as JobPorts; // a test's own jobs ask for nothing else

export async function createJobWorld(
  bundle: WorkflowBundleWithSourceMap,
  ports: JobPorts = NO_PORTS,
): Promise<JobWorld> {
  const [temporal, database] = await Promise.all([createTestNamespace(), createTestDatabase()]);
  const connection = await NativeConnection.connect({ address: temporal.address });
  return {
    temporal,
    database,
    async withWorker(jobs, story) {
      const worker = await Worker.create({
        connection,
        namespace: temporal.namespace,
        taskQueue: 'jobs',
        workflowBundle: bundle,
        interceptors: { activity: [() => ({ inbound: failureInterceptor })] },
        shutdownGraceTime: '1s',
        shutdownForceTime: '5s',
        activities: createJobActivities({
          jobs: new Map(jobs.map((job) => [job.name, job])),
          runs: createJobRunStore(database.db),
          closedAs: (workflowId) => closedWorkflow(temporal.client, workflowId),
          logOf: (fields) => testLog.child(fields),
          job: ports,
        }),
      });
      return worker.runUntil(story);
    },
    async row(runId) {
      const { rows } = await database.db.query<RunRow & Record<string, unknown>>(
        'select * from job_runs where run_id = $1',
        [runId],
      );
      return rows[0];
    },
    async story(runId) {
      const { rows } = await database.db.query<{ kind: string; data: Record<string, string> }>(
        'select kind, data from job_run_events where run_id = $1 order by seq',
        [runId],
      );
      return rows.map(({ kind, data }) => `${kind} ${data['state'] ?? data['what'] ?? data['message'] ?? ''}`);
    },
    async close() {
      await connection.close();
      await temporal.close();
      await database.drop();
    },
  };
}
