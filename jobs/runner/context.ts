import type { JobPorts } from './ports';

/** What a job's work is given besides its input. */
export interface JobContext {
  readonly runId: string;
  readonly workflowId: string;
  readonly jobName: string;
  readonly step: string;
  /** 1 for the first attempt of this step. */
  readonly attempt: number;
  /** The tick a scheduled run was made for, which a late run or a retry shares; null when somebody asked for it. */
  readonly nominalAt: Date | null;
  /** The schedule that made the run; null when somebody asked for it. */
  readonly scheduleId: string | null;
  /**
   * Fires when the run is cancelled or terminated, its attempt ran out of time, or the worker stops. The work ends what it
   * started (child processes included), waits for it to be gone, and throws.
   */
  readonly signal: AbortSignal;
  /** To the process's log and to the run's own lines. */
  readonly log: JobLog;
  /** Shown as it goes; the last one of a second counts. */
  progress(progress: JobProgress): void;
  /** Keeps a proof with the run for good. At most 64 kB of JSON. */
  evidence(kind: string, data: object): Promise<void>;
  /** What the steps before this one answered, by step name. */
  readonly results: Readonly<Record<string, unknown>>;
  readonly ports: JobPorts;
}

export interface JobLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface JobProgress {
  readonly doneBytes?: number;
  readonly totalBytes?: number;
  /** 0..1, where it is known. */
  readonly share?: number;
  /** What goes on now, in a few words. */
  readonly note?: string;
}

/** The work did not succeed, for a reason that has a name. */
export class JobFailure extends Error {
  override readonly name = 'JobFailure';
  readonly retryable: boolean;

  constructor(
    /** UPPER_SNAKE_CASE, stable: alerts and runbooks refer to it. */
    readonly code: string,
    message: string,
    options: ErrorOptions & { readonly retryable?: boolean } = {},
  ) {
    super(message, options);
    this.retryable = options.retryable ?? false;
  }
}

/** There was nothing to do, and why: the run ends `skipped`. */
export class JobSkipped extends Error {
  override readonly name = 'JobSkipped';

  constructor(
    message: string,
    /** The exception of the job's promise that holds, by the name it is declared with; null: none, the promise goes on. */
    readonly exception: string | null = null,
  ) {
    super(message);
  }
}
