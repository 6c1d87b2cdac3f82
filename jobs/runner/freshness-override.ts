import { DEPLOYMENT_KINDS, inDeployment, type JobCatalogue, type JobDeclaration } from './declaration';

/** Hours within which a job has to succeed, by its name, where an operator wants something else than it declares. */
export type FreshnessOverrides = Readonly<Record<string, number>>;

/**
 * The jobs with the promises that an operator has set in place of theirs, exceptions included: whoever runs a backup once a
 * week says so, and is told when it is older.
 *
 * @throws when an override names no job, or one that promises nothing.
 */
export function withFreshness(jobs: JobCatalogue, overrides: FreshnessOverrides): JobCatalogue {
  for (const name of Object.keys(overrides)) {
    const job = jobs.get(name);
    if (job === undefined) throw new Error(`JOB_FRESHNESS_HOURS names a job that is not there: ${name}`);
    if (!promises(job)) throw new Error(`JOB_FRESHNESS_HOURS names a job that promises nothing: ${name}`);
  }
  return new Map([...jobs].map(([name, job]) => [name, withHours(job, overrides[name])]));
}

const promises = ({ freshness }: JobDeclaration): boolean =>
  DEPLOYMENT_KINDS.some((kind) => inDeployment(freshness, kind) !== null);

const withHours = (job: JobDeclaration, hours: number | undefined): JobDeclaration =>
  hours === undefined
    ? job
    : { ...job, freshness: { objective: `it succeeded in the last ${String(hours)} h`, withinSeconds: hours * 3_600 } };
