import { z } from 'zod';
import { defineJob, type JobSchedule } from '../../../jobs/runner/declaration';
import { withFreshness } from '../../../jobs/runner/freshness-override';
import { loadJobs } from '../../../jobs/runner/load-jobs';
import { promiseText } from '../../../jobs/runner/promise-text';
import {
  checkSchedule,
  deployedSchedules,
  nextTicks,
  nominalTicks,
  previousTicks,
} from '../../../jobs/runner/schedules';

const at = (text: string): number => Date.parse(text);
const iso = (ticks: readonly number[]): string[] => ticks.map((tick) => new Date(tick).toISOString());

const aJob = (name: string, schedule: JobSchedule | null) =>
  defineJob({
    name,
    purpose: 'Stands for any job.',
    input: z.strictObject({}),
    schedule,
    concurrency: { atMost: 1 },
    freshness: null,
    runbook: `${name}.md`,
    attemptSeconds: 60,
    attempts: 1,
    run: () => Promise.resolve(null),
  });

describe('nominal ticks', () => {
  it('come after the first moment and up to the last one, the last included', () => {
    expect(iso(nominalTicks('15 2 * * *', at('2026-03-28T02:15:00Z'), at('2026-03-30T02:15:00Z')))).toEqual([
      '2026-03-29T02:15:00.000Z', // the night in which Europe loses an hour
      '2026-03-30T02:15:00.000Z',
    ]);
  });

  it('are worked out ahead', () => {
    expect(iso(nextTicks('0 4 1 1,4,7,10 *', at('2026-11-25T12:00:00Z'), 2))).toEqual([
      '2027-01-01T04:00:00.000Z',
      '2027-04-01T04:00:00.000Z',
    ]);
  });
});

describe('a schedule', () => {
  const schedule = (cron: string, catchUpSeconds = 60): JobSchedule => ({ cron, overlap: 'skip', catchUpSeconds });

  it.each([
    ['nonsense', /nonsense/],
    ['0 2 1 * 1', /days of the month and of the week both/],
  ])('is refused as %s', (cron, reason) => {
    expect(() => {
      checkSchedule(schedule(cron));
    }).toThrow(reason);
  });

  it('is refused with a catch-up window that Temporal does not have', () => {
    expect(() => {
      checkSchedule(schedule('0 2 * * *', 5));
    }).toThrow('10 s');
  });
});

describe('the schedules of a deployment', () => {
  const nightly = aJob('nightly', { cron: '0 2 * * *', overlap: 'buffer-one', catchUpSeconds: 7_200 });
  const jobs = new Map([nightly, aJob('by-hand', null)].map((job) => [job.name, job]));

  it('are those that jobs declare', () => {
    expect(deployedSchedules(jobs, 'production')).toEqual([
      {
        scheduleId: 'job-nightly',
        jobName: 'nightly',
        cron: '0 2 * * *',
        overlap: 'buffer-one',
        catchUpSeconds: 7_200,
      },
    ]);
  });

  it('follow what an operator sets instead', () => {
    const [first, ...others] = deployedSchedules(jobs, 'production', { nightly: 'off', 'by-hand': '*/5 * * * *' });
    expect(first).toMatchObject({ jobName: 'by-hand', cron: '*/5 * * * *', overlap: 'skip', catchUpSeconds: 3_600 });
    expect(others).toEqual([]);
  });

  it('refuse a job that is not there', () => {
    expect(() => deployedSchedules(jobs, 'production', { nightyl: 'off' })).toThrow('nightyl');
  });
});

describe('the promises that an operator sets', () => {
  const jobs = loadJobs();

  it('take the place of what a job declares, exceptions included, and of no other job', () => {
    const set = withFreshness(jobs, { 'restore-drill': 800 });
    expect(set.get('restore-drill')?.freshness).toEqual({
      objective: 'it succeeded in the last 800 h',
      withinSeconds: 2_880_000,
    });
    expect(set.get('db-backup')).toBe(jobs.get('db-backup'));
  });

  it.each([
    ['a job that is not there', 'db-backpu'],
    ['a job that promises nothing', 'backup-retention'],
  ])('refuse %s', (what, name) => {
    expect(() => withFreshness(jobs, { [name]: 24 })).toThrow(`JOB_FRESHNESS_HOURS names ${what}: ${name}`);
  });
});

describe('the words of a promise', () => {
  it('name what holds in which kind of deployment, and what holds instead when', () => {
    expect(promiseText(loadJobs().get('restore-drill')!)).toBe(
      'a backup was restored in the last 26 h; when the database is larger than RESTORE_DRILL_MAX_GB: a backup was ' +
        'restored in the last 8 days in development and staging, a backup was restored in the last 93 days in production',
    );
  });
});

describe('nominal ticks in a zone with summer time', () => {
  const zone = process.env['TZ'];
  afterEach(() => {
    if (zone === undefined) delete process.env['TZ'];
    else process.env['TZ'] = zone;
  });

  it.each([
    ['loses', '2026-03-29'],
    ['has twice', '2026-10-25'],
  ])('come once in the night in which the machine %s an hour', (_what, day) => {
    process.env['TZ'] = 'Europe/Berlin';
    const until = at(`${day}T23:59:59Z`);
    expect(iso(nominalTicks('30 1 * * *', at(`${day}T00:00:00Z`), until))).toEqual([`${day}T01:30:00.000Z`]);
    expect(nominalTicks('0 * * * *', at(`${day}T00:00:00Z`) - 1, until)).toHaveLength(24);
    expect(iso(previousTicks('30 1 * * *', at(`${day}T01:30:00Z`), 1))).toEqual([`${day}T01:30:00.000Z`]);
  });
});

describe('the declared jobs', () => {
  it('are found by their files and can all work', () => {
    expect([...loadJobs().keys()]).toContain('telemetry-retention');
  });
});
