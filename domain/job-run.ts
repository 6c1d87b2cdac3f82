/** What is recorded of a run, in words that workflow, activities, tables and API share. */
export const JOB_RUN_STATES = [
  'waiting',
  'running',
  'succeeded',
  'failed',
  'cancelled',
  'terminated',
  'skipped',
] as const;
export type JobRunState = (typeof JOB_RUN_STATES)[number];
export type FinishedState = Exclude<JobRunState, 'waiting' | 'running'>;

/** Why a run failed, was skipped, cancelled or terminated. */
export interface JobRunFailure {
  /** UPPER_SNAKE_CASE. */
  readonly code: string;
  readonly message: string;
  /** Of one that was skipped: the exception of the job's promise that it found to hold. */
  readonly exception?: string;
}

/** A step as the workflow carries it out; times in seconds. */
export interface StepPlan {
  readonly name: string;
  /** null: the queue of the jobs role. */
  readonly queue: string | null;
  readonly attemptSeconds: number;
  readonly attempts: number;
  readonly pauseSeconds: number;
}

/** What the first step of a run decides. */
export type JobBegun =
  | { readonly outcome: 'begun'; readonly runId: string; readonly steps: readonly StepPlan[] }
  /** It is over before it began: its place is taken, its input is wrong, it was cancelled while it waited. */
  | { readonly outcome: 'over'; readonly runId: string; readonly state: FinishedState; readonly reason: string };

/** Failure types that steps use towards the workflow, besides codes of their own. */
export const JOB_CANCELLED = 'JOB_CANCELLED';
export const JOB_SKIPPED = 'JOB_SKIPPED';

/** Results, step answers and proofs are kept in Postgres and in Temporal's history: most bytes of one as JSON. */
export const MOST_RESULT_BYTES = 65_536;
/** A worker says this often that it works on a run, and is held for dead after this much silence, s. */
export const HEARTBEAT_TIMEOUT_SECONDS = 10;
/** Nothing of a run goes on when its last sign of life is older, s: well above the heartbeat's time limit. */
export const SILENT_AFTER_SECONDS = 30;
