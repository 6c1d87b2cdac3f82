import { SILENT_AFTER_SECONDS } from '../domain/job-run';
import type { Database } from './pool';

/** A request is given this long to start its own workflow, s. */
const UNSTARTED_AFTER_SECONDS = 5;
/** Of one minute; the rest comes with the next ones. */
const MOST_AT_ONCE = 300;

/** Runs as the supervisor looks after them. */
export const createJobRunSupervision = (db: Database) => ({
  async unfinished(): Promise<
    { runId: string; jobName: string; workflowId: string; input: unknown; waiting: boolean }[]
  > {
    const { rows } = await db.query<{
      run_id: string;
      job_name: string;
      workflow_id: string;
      input: unknown;
      state: string;
    }>(
      `select run_id, job_name, workflow_id, input, state from job_runs
        where finished_at is null and requested_at < now() - make_interval(secs => $1)
        order by requested_at limit $2`,
      [UNSTARTED_AFTER_SECONDS, MOST_AT_ONCE],
    );
    return rows.map(({ run_id, job_name, workflow_id, input, state }) => ({
      runId: run_id,
      jobName: job_name,
      workflowId: workflow_id,
      input,
      waiting: state === 'waiting',
    }));
  },

  async releaseSilent(): Promise<void> {
    await db.query(
      `update job_runs set released_at = now()
        where finished_at is not null and released_at is null and slot is not null
          and coalesce(heartbeat_at, started_at, finished_at) < now() - make_interval(secs => $1)`,
      [SILENT_AFTER_SECONDS],
    );
  },
});
