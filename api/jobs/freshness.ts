import type { JobDeclaration } from '../../jobs/runner/declaration';
import type { JobsPort } from './ports';

export interface Freshness {
  readonly objective: string;
  readonly withinSeconds: number;
  /** `never`: not yet, and not too late either. `unknown`: the rows cannot be read. */
  readonly state: 'fresh' | 'stale' | 'never' | 'unknown';
  readonly ageSeconds: number | null;
}

/** How what a job promises stands, by its last success; null when it promises nothing. */
export function freshnessOf(jobs: Pick<JobsPort, 'figures'>, job: JobDeclaration): Freshness | null {
  if (job.freshness === null) return null;
  const { objective, withinSeconds } = job.freshness;
  const read = jobs.figures();
  const success = read?.figures.successes.find(({ jobName }) => jobName === job.name);
  if (read === null || success === undefined) return { objective, withinSeconds, state: 'unknown', ageSeconds: null };
  const ageSeconds = success.ageSeconds + read.ageSeconds;
  const state = ageSeconds > withinSeconds ? 'stale' : success.succeeded ? 'fresh' : 'never';
  return { objective, withinSeconds, state, ageSeconds };
}

/** Promises that are not kept, a sentence each. What does not run by itself here promises nothing here. */
export const staleJobs = (jobs: JobsPort): string[] =>
  [...jobs.declared.values()]
    .filter((job) => jobs.schedules.some(({ jobName }) => jobName === job.name))
    .flatMap((job) => {
      const fresh = freshnessOf(jobs, job);
      if (fresh?.state !== 'stale' || fresh.ageSeconds === null) return [];
      return [`job ${job.name}: not so that ${fresh.objective} (${String(Math.round(fresh.ageSeconds / 3600))} h)`];
    });
