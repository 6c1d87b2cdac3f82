import type { z } from 'zod';
import type { JobContext } from './context';

/**
 * A job, declared once: from this come its page in the API, its schedule in Temporal, its line in the docs, its metrics
 * and its alerts. `jobs/<name>.ts` exports one as `job`; nothing else has to be touched.
 */
export interface JobDeclaration<Schema extends z.ZodType = z.ZodType> {
  /** As in URLs, workflow ids and labels: `db-backup`. The file has the same name. */
  readonly name: string;
  /** One sentence: what it is for. */
  readonly purpose: string;
  /** What a run is given; `{}` must be valid for a job with a schedule. Unknown fields are refused. */
  readonly input: Schema;
  /** null: only when somebody asks. Otherwise where it runs by itself, by kind of deployment. */
  readonly schedule: ByDeployment<JobSchedule | null>;
  readonly concurrency: JobConcurrency;
  /**
   * What must hold all the time, judged by the last run that succeeded; null when there is no such promise. It counts
   * where the job runs by itself.
   */
  readonly freshness: ByDeployment<JobFreshness | null>;
  /** What else a person must hear of, beside what is alerted of every job. */
  readonly alerts?: readonly JobAlert[];
  /** Page below docs/runbooks/. */
  readonly runbook: `${string}.md`;
  /** In order, each a durable activity: what is done is not done again when a worker dies. */
  readonly steps: readonly JobStep<z.output<Schema>>[];
}

/** Jobs by name, in the order of their names. */
export type JobCatalogue = ReadonlyMap<string, JobDeclaration>;

export const DEPLOYMENT_KINDS = ['development', 'staging', 'production'] as const;
export type DeploymentKind = (typeof DEPLOYMENT_KINDS)[number];

/** The same everywhere, or by the kind of deployment. */
export type ByDeployment<T> = T | ((deployment: DeploymentKind) => T);

/** As it is declared for that kind of deployment. */
export const inDeployment = <T extends object | null>(declared: ByDeployment<T>, deployment: DeploymentKind): T =>
  typeof declared === 'function'
    ? (declared as (deployment: DeploymentKind) => T)(deployment) // what is declared is data, never a function itself
    : declared;

/** Overlap and catch-up are always explicit: the server's own defaults are surprising. */
export interface JobSchedule {
  /** Five fields, UTC; days of the month and of the week are not both restricted. */
  readonly cron: string;
  /** What a tick does while the run before it goes on. */
  readonly overlap: 'skip' | 'buffer-one';
  /** A tick that could not start (Temporal was away) runs late up to this; after that it is missed, and counted. */
  readonly catchUpSeconds: number;
}

/** How many runs at a time; a further one is refused (API) or ends `skipped` (schedule). */
export type JobConcurrency = 'unlimited' | { readonly atMost: number };

export interface JobPromise {
  /** For people: `a verified backup younger than 26 h`. */
  readonly objective: string;
  readonly withinSeconds: number;
}

export interface JobFreshness extends JobPromise {
  /**
   * What holds instead, by the name that a run which found it so ends with (`JobSkipped`). It holds until the newest run says
   * otherwise, and no longer than the ordinary promise would: then a run has to find it so again.
   */
  readonly exceptions?: Readonly<Record<string, FreshnessException>>;
}

export interface FreshnessException {
  /** For people: `the database is larger than RESTORE_DRILL_MAX_GB`. */
  readonly when: string;
  /** null: nothing is promised then. */
  readonly promise: JobPromise | null;
}

export interface JobAlert {
  /** `DermsWalNotArchived`: one name in all of them. */
  readonly name: string;
  /** In PromQL; metrics that it names are there from the first scrape. */
  readonly expr: string;
  /** It must hold this long: `15m`. */
  readonly holdsFor: string;
  readonly severity: 'critical' | 'warning';
  readonly summary: string;
}

export interface JobStep<Input> {
  readonly name: string;
  /** Longest that one attempt takes, s. */
  readonly attemptSeconds: number;
  /** Attempts in all; a failure that says it cannot be helped is not tried again. */
  readonly attempts: number;
  /** First pause between attempts, s; it doubles. Default 5. */
  readonly pauseSeconds?: number;
  /** Another task queue than that of the jobs role: what runs it must declare the same job. */
  readonly queue?: (input: Input) => string;
  /** What it answers is kept as JSON (at most 64 kB) and given to the steps after it by name; the last one's is the run's result. */
  readonly run: (input: Input, context: JobContext) => Promise<unknown>;
}

interface OneStepJob<Schema extends z.ZodType>
  extends Omit<JobDeclaration<Schema>, 'steps'>, Omit<JobStep<z.output<Schema>>, 'name'> {}

/** Declares a job of several durable steps. */
export const defineSteps = <Schema extends z.ZodType>(declaration: JobDeclaration<Schema>): JobDeclaration =>
  declaration; // the input is made by this very schema before a step sees it

/** Declares an ordinary job: one piece of work. */
export const defineJob = <Schema extends z.ZodType>(declaration: OneStepJob<Schema>): JobDeclaration => {
  const { attemptSeconds, attempts, pauseSeconds, queue, run, ...job } = declaration;
  const step: JobStep<z.output<Schema>> = {
    name: 'run',
    attemptSeconds,
    attempts,
    run,
    ...(pauseSeconds === undefined ? {} : { pauseSeconds }),
    ...(queue === undefined ? {} : { queue }),
  };
  return defineSteps<Schema>({ ...job, steps: [step] });
};
