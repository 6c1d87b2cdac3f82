import { Counter, Gauge, type Registry } from '../../observability/metrics';
import { JOB_RUN_STATES, type FinishedState } from '../../domain/job-run';
import type { ScheduleFigures } from '../../db/job-figures';
import type { JobDeclaration } from '../../jobs/runner/declaration';
import { nominalTicks } from '../../jobs/runner/schedules';
import { SUPERVISOR_SCHEDULE_ID, TASK_QUEUES } from '../../workflows/messages';
import { freshnessOf, isKept } from './freshness';
import type { JobsPort } from './ports';
import { nextQueue } from './waiting';

const OUTCOMES = JOB_RUN_STATES.filter((state): state is FinishedState => state !== 'waiting' && state !== 'running');

/** Jobs, schedules and queues as metrics, each there from the first scrape: what has not happened is 0. */
export function registerJobMetrics(registry: Registry, jobs: JobsPort): void {
  registerFreshness(registry, jobs);
  registerRuns(registry, jobs);
  registerQueues(registry, jobs);
  registerTicks(registry, jobs);
}

function registerFreshness(registry: Registry, jobs: JobsPort): void {
  const promising = [...jobs.declared.values()].filter(({ freshness }) => freshness !== null);
  new Gauge({
    name: 'derms_job_freshness_seconds',
    help: 'Age of the last success of a job that promises freshness; before the first, of its declaration.',
    labelNames: ['job'],
    registers: [registry],
    collect() {
      this.reset();
      for (const job of promising) this.set({ job: job.name }, freshnessOf(jobs, job)?.ageSeconds ?? NaN);
    },
  });
  new Gauge({
    name: 'derms_job_freshness_objective_seconds',
    help: 'What that age may be, as things are; +Inf while nothing is promised.',
    labelNames: ['job'],
    registers: [registry],
    collect() {
      this.reset();
      for (const job of promising) this.set({ job: job.name }, objectiveSeconds(jobs, job));
    },
  });
  new Gauge({
    name: 'derms_job_fresh',
    help: '1 while a job keeps its promise, or promises nothing as things are here; 0 also when that cannot be read.',
    labelNames: ['job'],
    registers: [registry],
    collect() {
      this.reset();
      for (const job of promising) this.set({ job: job.name }, isKept(jobs, job) ? 1 : 0);
    },
  });
}

/** What holds now, of the ordinary promise and its exceptions; without end where nothing is promised. */
function objectiveSeconds(jobs: JobsPort, job: JobDeclaration): number {
  const fresh = freshnessOf(jobs, job);
  const scheduled = jobs.schedules.some(({ jobName }) => jobName === job.name);
  return fresh === null || fresh.state === 'excused' || !scheduled ? Infinity : fresh.withinSeconds;
}

function registerRuns(registry: Registry, jobs: JobsPort): void {
  new Counter({
    name: 'derms_job_runs_total',
    help: 'Runs that are over, by job and outcome; counted from their rows.',
    labelNames: ['job', 'outcome'],
    registers: [registry],
    collect() {
      this.reset();
      const counted = jobs.figures()?.figures.outcomes ?? [];
      for (const job of jobs.declared.keys())
        for (const outcome of OUTCOMES) {
          const found = counted.find(({ jobName, state }) => jobName === job && state === outcome);
          this.inc({ job, outcome }, found?.count ?? 0);
        }
    },
  });
}

/** For autoscalers: what waits, and for how long. The jobs role may be scaled to zero. */
function registerQueues(registry: Registry, jobs: JobsPort): void {
  const registers = [registry];
  new Gauge({
    name: 'derms_job_queue_backlog',
    help: 'Runs that wait for a worker of the queue.',
    labelNames: ['queue'],
    registers,
    collect() {
      this.reset();
      for (const [queue, since] of waitingByQueue(jobs)) this.set({ queue }, since.length);
    },
  });
  new Gauge({
    name: 'derms_job_queue_oldest_waiting_seconds',
    help: 'How long the oldest of them has waited; 0 when none does.',
    labelNames: ['queue'],
    registers,
    collect() {
      this.reset();
      for (const [queue, since] of waitingByQueue(jobs))
        this.set({ queue }, since.length === 0 ? 0 : Math.max(0, Date.now() - Math.min(...since)) / 1000);
    },
  });
}

/** Since when each waits, ms since the epoch, by queue. */
function waitingByQueue(jobs: JobsPort): ReadonlyMap<string, readonly number[]> {
  const queues = new Map<string, number[]>([[TASK_QUEUES.jobs, []]]);
  for (const { jobName, input, stepsDone, sinceMs } of jobs.figures()?.figures.waiting ?? []) {
    const queue = nextQueue(jobs.declared.get(jobName), input, stepsDone);
    queues.set(queue, [...(queues.get(queue) ?? []), sinceMs]);
  }
  return queues;
}

function registerTicks(registry: Registry, jobs: JobsPort): void {
  const registers = [registry];
  new Gauge({
    name: 'derms_schedule_ticks_unaccounted',
    help: 'Nominal ticks of the last day less those that are accounted for; anything but 0 means that something is silent.',
    labelNames: ['schedule'],
    registers,
    collect() {
      this.reset();
      for (const [scheduleId, found] of bySchedule(jobs))
        this.set({ schedule: scheduleId }, found === undefined ? 0 : expectedTicks(found) - found.accounted);
    },
  });
  new Counter({
    name: 'derms_schedule_missed_ticks_total',
    help: 'Ticks that no run was made for and that will not be caught up with.',
    labelNames: ['schedule'],
    registers,
    collect() {
      this.reset();
      for (const [scheduleId, found] of bySchedule(jobs)) this.inc({ schedule: scheduleId }, found?.missed ?? 0);
    },
  });
  new Gauge({
    name: 'derms_schedule_lateness_seconds',
    help: 'How late the newest tick that is accounted for ran.',
    labelNames: ['schedule'],
    registers,
    collect() {
      this.reset();
      for (const [scheduleId, found] of bySchedule(jobs))
        this.set({ schedule: scheduleId }, found?.lastLateSeconds ?? 0);
    },
  });
}

/** Every schedule of this deployment, those too that no worker has written down yet. */
function bySchedule(jobs: JobsPort): ReadonlyMap<string, ScheduleFigures | undefined> {
  const found = jobs.figures()?.figures.ticks ?? [];
  const ids = [SUPERVISOR_SCHEDULE_ID, ...jobs.schedules.map(({ scheduleId }) => scheduleId)];
  return new Map([
    ...ids.map((scheduleId) => [scheduleId, undefined] as const),
    ...found.map((schedule) => [schedule.scheduleId, schedule] as const),
  ]);
}

/** More than a day of ticks, one a second. */
const MOST_EXPECTED = 100_000;

/** Each span by its own times. */
const expectedTicks = ({ spans, window }: ScheduleFigures): number =>
  spans.reduce((sum, { cron, fromMs, untilMs }) => {
    const after = Math.max(fromMs, window.fromMs);
    const until = Math.min(untilMs ?? window.untilMs, window.untilMs);
    return sum + nominalTicks(cron, after, until, MOST_EXPECTED).length;
  }, 0);
