import { z } from 'zod';
import { defineJob, type JobSchedule } from '../../../jobs/runner/declaration';
import { loadJobs } from '../../../jobs/runner/load-jobs';
import { checkSchedule, deployedSchedules, nextTicks, nominalTicks } from '../../../jobs/runner/schedules';

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

describe('the declared jobs', () => {
  it('are found by their files and can all work', () => {
    expect([...loadJobs().keys()]).toContain('telemetry-retention');
  });
});
