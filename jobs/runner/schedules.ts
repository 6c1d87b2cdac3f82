import { Cron } from 'croner';
import { jobScheduleId } from '../../domain/workflow-ids';
import {
  inDeployment,
  type DeploymentKind,
  type JobCatalogue,
  type JobDeclaration,
  type JobSchedule,
} from './declaration';

/** A job's schedule as this deployment has it. */
export interface DeployedSchedule extends JobSchedule {
  readonly scheduleId: string;
  readonly jobName: string;
}

/** What an operator has set instead of the declared times: a cron expression, or `off`. */
export type ScheduleOverrides = Readonly<Record<string, string>>;

/** Every schedule of this deployment. @throws when an override names no job, or is no schedule. */
export function deployedSchedules(
  jobs: JobCatalogue,
  deployment: DeploymentKind,
  overrides: ScheduleOverrides = {},
): DeployedSchedule[] {
  const unknown = Object.keys(overrides).find((name) => !jobs.has(name));
  if (unknown !== undefined) throw new Error(`JOB_SCHEDULES names a job that is not there: ${unknown}`);
  return [...jobs.values()].flatMap((job) => {
    const schedule = scheduleOf(job, deployment, overrides[job.name]);
    return schedule === null ? [] : [{ ...schedule, scheduleId: jobScheduleId(job.name), jobName: job.name }];
  });
}

/** Where nothing is declared for this deployment, an override gets the carefulness of the others. */
const OVERRIDE_DEFAULTS = { overlap: 'skip', catchUpSeconds: 3_600 } as const;

function scheduleOf(job: JobDeclaration, deployment: DeploymentKind, override?: string): JobSchedule | null {
  const declared = inDeployment(job.schedule, deployment);
  if (override === undefined) return declared;
  if (override === 'off') return null;
  const schedule = { ...OVERRIDE_DEFAULTS, ...declared, cron: override };
  checkSchedule(schedule);
  return schedule;
}

/**
 * The nominal ticks after `afterMs` and up to `untilMs`, ms since the epoch. Temporal's own calendars agree with these
 * for what `checkSchedule` lets through.
 */
export function nominalTicks(cron: string, afterMs: number, untilMs: number, most = 10_000): number[] {
  const pattern = parse(cron);
  const ticks: number[] = [];
  let next = pattern.nextRun(new Date(afterMs));
  while (next !== null && next.getTime() <= untilMs && ticks.length < most) {
    ticks.push(next.getTime());
    next = pattern.nextRun(next);
  }
  return ticks;
}

/** The next `count` nominal ticks after `afterMs`, ms since the epoch. */
export const nextTicks = (cron: string, afterMs: number, count: number): number[] =>
  parse(cron)
    .nextRuns(count, new Date(afterMs))
    .map((tick) => tick.getTime());

/** The newest `count` nominal ticks up to `untilMs`, that moment included; newest first, ms since the epoch. */
export const previousTicks = (cron: string, untilMs: number, count: number): number[] =>
  parse(cron)
    .previousRuns(count, new Date(untilMs + 1))
    .map((tick) => tick.getTime());

/** @throws when it is no cron expression of five fields (six with seconds first, for tests), or an ambiguous one. */
export function checkSchedule({ cron, catchUpSeconds }: JobSchedule): void {
  parse(cron);
  const [day, , weekday] = cron.trim().split(/\s+/).slice(-3);
  // Unix ORs the two and Temporal ANDs them.
  if (day !== '*' && weekday !== '*') throw new Error(`${cron}: restricts days of the month and of the week both`);
  if (!(catchUpSeconds >= 10)) throw new Error(`${cron}: Temporal's least catch-up window is 10 s`);
}

const parse = (cron: string): Cron => new Cron(cron, { timezone: 'UTC', paused: true });
