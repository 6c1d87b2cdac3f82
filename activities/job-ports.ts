import type { FinishedState, JobRunFailure, JobRunState } from '../domain/job-run';
import type { JobCatalogue } from '../jobs/runner/declaration';
import type { JobLog, JobProgress } from '../jobs/runner/context';
import type { JobPorts } from '../jobs/runner/ports';

/** What the activities of the `job` workflow stand on. */
export interface JobActivityPorts {
  readonly jobs: JobCatalogue;
  readonly runs: JobRunStore;
  /** How a workflow that holds a place has ended; null while it is open. Rejects when Temporal cannot say. */
  readonly closedAs: (workflowId: string) => Promise<ClosedRun | null>;
  /** The process's own log, with the run's ids on each line. */
  readonly logOf: (fields: Readonly<Record<string, string>>) => JobLog;
  readonly job: JobPorts;
}

export interface ClosedRun {
  readonly state: FinishedState;
  readonly failure: JobRunFailure | null;
}

/** A run as its first step finds or makes it. */
export interface RunClaim {
  readonly runId: string;
  readonly jobName: string;
  readonly workflowId: string;
  readonly origin: 'api' | 'schedule' | 'temporal';
  readonly scheduleId: string | null;
  readonly nominalAtMs: number | null;
  readonly requestedAtMs: number;
  readonly input: unknown;
  /** Places of the job, one of which is to be had; null when it has no limit. */
  readonly slots: readonly string[] | null;
}

export type RunClaimed =
  | { readonly outcome: 'running' }
  | { readonly outcome: 'over'; readonly state: FinishedState; readonly reason: string }
  /** All places are taken. */
  | { readonly outcome: 'taken'; readonly holders: readonly RunHolder[] };

export interface RunHolder {
  readonly runId: string;
  readonly workflowId: string;
}

export type RunEvent =
  | {
      readonly kind: 'log';
      readonly level: 'info' | 'warn' | 'error';
      readonly message: string;
      readonly fields: object;
    }
  | {
      readonly kind: 'step';
      readonly step: string;
      readonly attempt: number;
      readonly what: 'started' | 'succeeded' | 'failed';
      readonly detail: string | null;
    }
  | { readonly kind: 'cancel'; readonly what: 'acknowledged' | 'stopped' };

export interface JobRunStore {
  /** Makes the run one that goes on, in its place; repeating it is harmless. */
  claim(claim: RunClaim): Promise<RunClaimed>;
  /** Records a run that never began, with why; for a run that lost its place also which one has it. */
  refuse(
    claim: RunClaim,
    end: { readonly state: FinishedState; readonly failure: JobRunFailure; readonly skippedFor: string | null },
  ): Promise<void>;
  /** For a run whose workflow is known to be closed: its row says so, and its place is free once nothing of it goes on. */
  settle(runId: string, closed: ClosedRun): Promise<void>;
  /** A sign of life with what is shown meanwhile; answers what people have decided about the run since. */
  beat(runId: string, beat: RunBeat): Promise<RunOrders>;
  addEvents(runId: string, events: readonly (RunEvent & { readonly atMs: number })[]): Promise<void>;
  addEvidence(runId: string, kind: string, data: object): Promise<void>;
  finish(end: {
    readonly runId: string;
    readonly state: FinishedState;
    readonly result: unknown;
    readonly failure: JobRunFailure | null;
  }): Promise<void>;
  /** The last step has stopped: a run that is over by now (terminated) gives its place away. */
  stopped(runId: string): Promise<void>;
}

export interface RunBeat {
  readonly step: string;
  readonly attempt: number;
  readonly progress: JobProgress | null;
}

export interface RunOrders {
  readonly state: JobRunState;
  readonly cancelRequested: boolean;
}
