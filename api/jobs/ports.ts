import type { Actor } from '../../db/audit';
import type { JobFigures } from '../../db/job-figures';
import type { JobRunOrder, JobRunOrdered, RunEndOrder } from '../../db/job-orders';
import type { JobRunFilter, StoredEvidence, StoredRunEvent } from '../../db/job-run-reads';
import type { JobRunRecord, JobRunSummary } from '../../db/job-run-record';
import type { ScheduleTick } from '../../db/schedule-ticks';
import type { ScheduleRecord } from '../../db/schedules';
import type { FinishedState, JobRunFailure } from '../../domain/job-run';
import type { Pause } from '../../domain/tick-accounting';
import type { DeploymentKind, JobCatalogue } from '../../jobs/runner/declaration';
import type { DeployedSchedule } from '../../jobs/runner/schedules';
import type { OpenJobWorkflow } from '../../temporal/job-queues';

/** The jobs of this program, and when they run by themselves in this deployment. */
export interface JobsPort {
  readonly deployment: DeploymentKind;
  readonly declared: JobCatalogue;
  readonly schedules: readonly DeployedSchedule[];
  /** As they were read last; null before the first time. Never waits. */
  figures(): { readonly figures: JobFigures; readonly ageSeconds: number } | null;
}

/** Runs: rows in Postgres, and what Temporal knows of those that wait. */
export interface RunPort {
  order(order: JobRunOrder): Promise<JobRunOrdered>;
  cancel(order: RunEndOrder): Promise<JobRunRecord>;
  terminate(order: RunEndOrder): Promise<JobRunRecord>;
  list(filter: JobRunFilter): Promise<JobRunSummary[]>;
  find(runId: string): Promise<JobRunRecord | null>;
  known(runIds: readonly string[]): Promise<ReadonlySet<string>>;
  events(runId: string, afterSeq: number, limit: number): Promise<StoredRunEvent[]>;
  evidence(runId: string): Promise<StoredEvidence[]>;
  settle(
    runId: string,
    closed: { readonly state: FinishedState; readonly failure: JobRunFailure | null },
  ): Promise<void>;
  /** How a run's workflow has ended; null while it is open. Rejects when Temporal cannot say. */
  closedAs(
    workflowId: string,
  ): Promise<{ readonly state: FinishedState; readonly failure: JobRunFailure | null } | null>;
  /** Workers that take steps from the queue; null when Temporal cannot say. A few seconds old at most. */
  workersOf(queue: string): Promise<number | null>;
  /** Open workflows of runs, the newest; empty when Temporal cannot say. A few seconds old at most. */
  openWorkflows(): Promise<readonly OpenJobWorkflow[]>;
}

export interface SchedulePort {
  list(): Promise<ScheduleRecord[]>;
  /** The newest first, up to this moment. */
  ticks(schedule: ScheduleRecord, limit: number): Promise<ScheduleTick[]>;
  pauses(scheduleId: string, sinceMs: number): Promise<Pause[]>;
  /** @throws {DermsError} SCHEDULE_NOT_FOUND, TEMPORAL_UNAVAILABLE. */
  pause(order: ScheduleOrder): Promise<void>;
  resume(order: ScheduleOrder): Promise<void>;
  /** `skipped`: its last run still goes on. */
  trigger(order: Omit<ScheduleOrder, 'reason'>): Promise<{ readonly workflowId: string } | 'skipped'>;
}

export interface ScheduleOrder {
  readonly scheduleId: string;
  readonly reason: string;
  readonly actor: Actor;
}
