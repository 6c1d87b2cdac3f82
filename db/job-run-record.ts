import type { JobRunFailure, JobRunState } from '../domain/job-run';
import { EXACT_UTC } from './exact-utc';

/** A run as lists show it. Times are ISO 8601, UTC. */
export interface JobRunSummary {
  readonly runId: string;
  readonly jobName: string;
  readonly workflowId: string;
  readonly state: JobRunState;
  readonly origin: 'api' | 'schedule' | 'temporal';
  readonly scheduleId: string | null;
  readonly nominalAt: string | null;
  readonly requestedBy: string;
  readonly requestedAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly step: string | null;
  readonly attempt: number;
  readonly progress: Readonly<Record<string, unknown>> | null;
  readonly failure: JobRunFailure | null;
  /** The run that had its place. */
  readonly skippedFor: string | null;
  readonly cancel: JobRunCancel | null;
}

/** How far a cancellation has come. */
export interface JobRunCancel {
  readonly state: 'requested' | 'acknowledged' | 'stopped';
  readonly requestedAt: string | null;
  readonly requestedBy: string | null;
  readonly reason: string | null;
  readonly acknowledgedAt: string | null;
}

/** A run with what it was given and what came of it. */
export interface JobRunRecord extends JobRunSummary {
  readonly input: unknown;
  readonly result: unknown;
  /** Nothing of it goes on any more. */
  readonly released: boolean;
  /** Its worker's last sign of life. */
  readonly heartbeatAt: string | null;
}

export interface JobRunRow {
  readonly run_id: string;
  readonly job_name: string;
  readonly workflow_id: string;
  readonly state: JobRunState;
  readonly origin: JobRunSummary['origin'];
  readonly schedule_id: string | null;
  readonly nominal_at: Date | null;
  readonly requested_by: string;
  readonly requested_exact: string;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
  readonly released_at: Date | null;
  readonly heartbeat_at: Date | null;
  readonly step: string | null;
  readonly attempt: number;
  readonly progress: Record<string, unknown> | null;
  readonly failure: JobRunFailure | null;
  readonly skipped_for: string | null;
  readonly cancel_requested_at: Date | null;
  readonly cancel_requested_by: string | null;
  readonly cancel_reason: string | null;
  readonly cancel_acknowledged_at: Date | null;
  readonly input: unknown;
  readonly result: unknown;
}

export const SELECT_JOB_RUNS = `select run_id, job_name, workflow_id, state, origin, schedule_id, nominal_at, requested_by,
  to_char(requested_at at time zone 'UTC', '${EXACT_UTC}') as requested_exact, started_at, finished_at, released_at,
  heartbeat_at, step, attempt, progress, failure, skipped_for, cancel_requested_at, cancel_requested_by, cancel_reason,
  cancel_acknowledged_at, input, result from job_runs`;

export const runSummaryOf = (row: JobRunRow): JobRunSummary => ({
  runId: row.run_id,
  jobName: row.job_name,
  workflowId: row.workflow_id,
  state: row.state,
  origin: row.origin,
  scheduleId: row.schedule_id,
  nominalAt: isoOf(row.nominal_at),
  requestedBy: row.requested_by,
  requestedAt: row.requested_exact,
  startedAt: isoOf(row.started_at),
  finishedAt: isoOf(row.finished_at),
  step: row.step,
  attempt: row.attempt,
  progress: row.progress,
  failure: row.failure,
  skippedFor: row.skipped_for,
  cancel: cancelOf(row),
});

export const runRecordOf = (row: JobRunRow): JobRunRecord => ({
  ...runSummaryOf(row),
  input: row.input,
  result: row.result,
  released: row.finished_at !== null && row.released_at !== null,
  heartbeatAt: isoOf(row.heartbeat_at),
});

function cancelOf(row: JobRunRow): JobRunCancel | null {
  const acknowledged = row.cancel_acknowledged_at !== null;
  if (row.cancel_requested_at === null && !acknowledged) return null;
  const stopped = row.finished_at !== null && row.released_at !== null;
  return {
    state: stopped ? 'stopped' : acknowledged ? 'acknowledged' : 'requested',
    requestedAt: isoOf(row.cancel_requested_at),
    requestedBy: row.cancel_requested_by,
    reason: row.cancel_reason,
    acknowledgedAt: isoOf(row.cancel_acknowledged_at),
  };
}

const isoOf = (at: Date | null): string | null => at?.toISOString() ?? null;
