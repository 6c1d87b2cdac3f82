import { freshnessOf, isKept, staleJobs } from '../../../api/jobs/freshness';
import { registerJobMetrics } from '../../../api/jobs/metrics';
import type { JobsPort } from '../../../api/jobs/ports';
import type { JobFigures } from '../../../db/job-figures';
import { loadJobs } from '../../../jobs/runner/load-jobs';
import { deployedSchedules } from '../../../jobs/runner/schedules';
import { createRegistry } from '../../../observability/metrics';

const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;
const declared = loadJobs();
const drill = declared.get('restore-drill')!;

type Success = Partial<JobFigures['successes'][number]>;
/** As the rows of the restore drill tell it. */
const jobsWhere = (success: Success | null, given: Partial<JobsPort> = {}): JobsPort => ({
  deployment: 'production',
  declared,
  schedules: deployedSchedules(declared, 'production'),
  figures: () =>
    success === null
      ? null
      : {
          ageSeconds: 0,
          figures: {
            ...{ readAtMs: 0, outcomes: [], waiting: [], ticks: [] },
            successes: [{ jobName: 'restore-drill', ageSeconds: HOUR_S, succeeded: true, exception: null, ...success }],
          },
        },
  ...given,
});
const large = (ageSeconds: number) => ({ name: 'large-database', ageSeconds });

describe('the promise of a job', () => {
  it('is kept until its age, and not longer', () => {
    expect(freshnessOf(jobsWhere({ ageSeconds: 26 * HOUR_S }), drill)).toEqual({
      objective: 'a backup was restored in the last 26 h',
      withinSeconds: 93_600,
      state: 'fresh',
      ageSeconds: 93_600,
      exception: null,
    });
    const stale = jobsWhere({ ageSeconds: 27 * HOUR_S });
    expect(freshnessOf(stale, drill)).toMatchObject({ state: 'stale' });
    expect(staleJobs(stale)).toEqual(['job restore-drill: not so that a backup was restored in the last 26 h (27 h)']);
  });

  it.each([
    ['production', 93, 'a backup was restored in the last 93 days'],
    ['staging', 8, 'a backup was restored in the last 8 days'],
  ] as const)('of a drill of a large database in %s is %i days', (deployment, days, objective) => {
    const aged = (age: number) =>
      freshnessOf(jobsWhere({ ageSeconds: age, exception: large(HOUR_S) }, { deployment }), drill);
    expect(aged(days * DAY_S)).toMatchObject({
      state: 'fresh',
      objective,
      exception: 'the database is larger than RESTORE_DRILL_MAX_GB',
    });
    expect(aged(days * DAY_S + 1)).toMatchObject({ state: 'stale' });
  });

  it('is the ordinary one again when no run has found the exception for as long as the promise allows', () => {
    const jobs = jobsWhere({ ageSeconds: 5 * DAY_S, exception: large(27 * HOUR_S) });
    expect(freshnessOf(jobs, drill)).toMatchObject({ state: 'stale', exception: null });
  });

  it('is not taken from it by an exception that it does not declare', () => {
    const jobs = jobsWhere({ ageSeconds: 5 * DAY_S, exception: { name: 'holidays', ageSeconds: 1 } });
    expect(isKept(jobs, drill)).toBe(false);
  });

  it('is no promise where an exception says so, or where the job does not run by itself', () => {
    const base = declared.get('base-backup')!;
    const skipped = (daysAgo: number): JobsPort =>
      jobsWhere({
        ...{ jobName: 'base-backup', ageSeconds: 90 * DAY_S },
        exception: { name: 'archiving-off', ageSeconds: daysAgo * DAY_S },
      });
    expect(freshnessOf(skipped(8), base)).toMatchObject({ state: 'excused', exception: 'the log is not archived' });
    expect(isKept(skipped(8), base)).toBe(true);
    expect(isKept(skipped(8.1), base)).toBe(false); // nobody has looked since
    expect(isKept(jobsWhere({ jobName: 'base-backup', ageSeconds: 90 * DAY_S }), base)).toBe(false);
    expect(isKept(jobsWhere({ ageSeconds: 90 * DAY_S }, { schedules: [] }), drill)).toBe(true);
  });

  it('is no promise where a drill found that it is not configured, until nobody has looked for 35 days', () => {
    const failover = declared.get('postgres-failover-drill')!;
    const skipped = (daysAgo: number): JobsPort =>
      jobsWhere(
        {
          ...{ jobName: 'postgres-failover-drill', ageSeconds: 90 * DAY_S },
          exception: { name: 'not-configured', ageSeconds: daysAgo * DAY_S },
        },
        { deployment: 'staging', schedules: deployedSchedules(declared, 'staging') },
      );
    expect(freshnessOf(skipped(31), failover)).toMatchObject({ state: 'excused', exception: 'it is not configured' });
    expect(isKept(skipped(31), failover)).toBe(true);
    expect(isKept(skipped(36), failover)).toBe(false);
  });

  it('counts as broken while nobody can read how it stands', () => {
    expect(freshnessOf(jobsWhere(null), drill)).toMatchObject({ state: 'unknown' });
    expect(isKept(jobsWhere(null), drill)).toBe(false);
  });

  it('stands in the metrics as it holds', async () => {
    const objectiveIn = async (jobs: JobsPort): Promise<string[]> => {
      const registry = createRegistry('api');
      registerJobMetrics(registry, jobs);
      return (await registry.metrics())
        .split('\n')
        .filter((line) => /^derms_job_fresh(ness_objective_seconds)?\{.*restore-drill/.test(line))
        .map((line) => line.replace(/\{.*\}/, ''));
    };
    expect(await objectiveIn(jobsWhere({ ageSeconds: 5 * DAY_S, exception: large(1) }))).toEqual([
      'derms_job_freshness_objective_seconds 8035200',
      'derms_job_fresh 1',
    ]);
    expect(await objectiveIn(jobsWhere({ ageSeconds: 5 * DAY_S }))).toEqual([
      'derms_job_freshness_objective_seconds 93600',
      'derms_job_fresh 0',
    ]);
    expect(await objectiveIn(jobsWhere({ ageSeconds: 5 * DAY_S }, { schedules: [] }))).toEqual([
      'derms_job_freshness_objective_seconds +Inf',
      'derms_job_fresh 1',
    ]);
  });
});
