import { inDeployment, type JobDeclaration } from '../../jobs/runner/declaration';
import type { JobsPort } from './ports';

export interface Freshness {
  readonly objective: string;
  readonly withinSeconds: number;
  /**
   * `never`: not yet, and not too late either. `unknown`: the rows cannot be read. `excused`: nothing is promised as things
   * are.
   */
  readonly state: 'fresh' | 'stale' | 'never' | 'unknown' | 'excused';
  readonly ageSeconds: number | null;
  /** Why another promise holds than the ordinary one; null when the ordinary one does. */
  readonly exception: string | null;
}

type Jobs = Pick<JobsPort, 'figures' | 'deployment'>;

/** How what a job promises stands, by its last success; null when it promises nothing in this kind of deployment. */
export function freshnessOf(jobs: Jobs, job: JobDeclaration): Freshness | null {
  const declared = inDeployment(job.freshness, jobs.deployment);
  if (declared === null) return null;
  const { objective, withinSeconds, exceptions = {} } = declared;
  const ordinary = { objective, withinSeconds, exception: null };
  const read = jobs.figures();
  const success = read?.figures.successes.find(({ jobName }) => jobName === job.name);
  if (read === null || success === undefined) return { ...ordinary, state: 'unknown', ageSeconds: null };
  const ageSeconds = success.ageSeconds + read.ageSeconds;
  const found = success.exception;
  const exception =
    found !== null && found.ageSeconds + read.ageSeconds <= withinSeconds ? exceptions[found.name] : undefined;
  if (exception?.promise === null) return { ...ordinary, exception: exception.when, state: 'excused', ageSeconds };
  const promise =
    exception === undefined
      ? ordinary
      : {
          objective: exception.promise.objective,
          withinSeconds: exception.promise.withinSeconds,
          exception: exception.when,
        };
  const state = ageSeconds > promise.withinSeconds ? 'stale' : success.succeeded ? 'fresh' : 'never';
  return { ...promise, state, ageSeconds };
}

/** 1 while a promise is kept, and where there is none: what does not run by itself here promises nothing here. */
export function isKept(jobs: Jobs & Pick<JobsPort, 'schedules'>, job: JobDeclaration): boolean {
  if (!jobs.schedules.some(({ jobName }) => jobName === job.name)) return true;
  const state = freshnessOf(jobs, job)?.state;
  return state !== 'stale' && state !== 'unknown';
}

/** Promises that are not kept, a sentence each. */
export const staleJobs = (jobs: JobsPort): string[] =>
  [...jobs.declared.values()].flatMap((job) => {
    const fresh = freshnessOf(jobs, job);
    if (isKept(jobs, job) || fresh?.state !== 'stale' || fresh.ageSeconds === null) return [];
    return [`job ${job.name}: not so that ${fresh.objective} (${String(Math.round(fresh.ageSeconds / 3600))} h)`];
  });
