import type { FinishedState, JobRunFailure } from './job-run';

/** One thing in which a restored database, Temporal and the broker differ. */
export interface Finding {
  readonly kind:
    | 'dispatch-unknown'
    | 'dispatch-ended'
    | 'dispatch-past'
    | 'run-unknown'
    | 'run-ended'
    | 'control-loop'
    | 'setpoint-of-unknown-device'
    | 'setpoints-newer'
    | 'backup-unknown'
    | 'backup-gone'
    | 'backup-untrusted'
    | 'not-compared';
  /** Id of what differs. */
  readonly subject: string;
  readonly detail: string;
  /** `would`: `--apply` settles it; `open`: a person has to; `noted`: settles itself after the lift. */
  readonly outcome: 'would' | 'done' | 'open' | 'noted';
}

/** What Temporal knows of a dispatch. */
export interface DispatchTrace {
  readonly dispatchId: string;
  readonly workflowId: string;
  /** Who asked for what, as a line for people; empty where nobody wrote one. */
  readonly summary: string;
  /** What was decided when it was accepted, as `db/dispatch-admission.ts` stores it; null: it was not recorded. */
  readonly accepted: unknown;
  /** The state it ended in, as its workflow recorded it; null: it has not said. */
  readonly endedAs: string | null;
}

/** What Temporal knows of a run of a job. Times ISO 8601. */
export interface RunTrace {
  readonly workflowId: string;
  readonly jobName: string;
  /** As its requester gave it; null: it follows from the workflow id. */
  readonly runId: string | null;
  readonly input: unknown;
  readonly scheduleId: string | null;
  readonly nominalAtMs: number | null;
  readonly startedAtMs: number;
  /** null while it goes on. */
  readonly end: {
    readonly atMs: number;
    readonly state: FinishedState;
    readonly result: unknown;
    readonly failure: JobRunFailure | null;
  } | null;
}

/** Those that `--apply` would settle count too as long as nobody applied it. */
export const countOpen = (findings: readonly Finding[]): number =>
  findings.filter(({ outcome }) => outcome === 'would' || outcome === 'open').length;
