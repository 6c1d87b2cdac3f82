import { z } from 'zod';
import type { StoredEvidence, StoredRunEvent } from '../../db/job-run-reads';
import type { JobRunRecord, JobRunSummary } from '../../db/job-run-record';
import type { ScheduleTick } from '../../db/schedule-ticks';
import type { ScheduleRecord } from '../../db/schedules';
import type { Pause } from '../../domain/tick-accounting';
import type { JobDeclaration } from '../../jobs/runner/declaration';
import { nextTicks } from '../../jobs/runner/schedules';
import type { AppPorts } from '../ports';
import type { jobSchema, runSchema, runSummarySchema, scheduleSchema } from '../schemas/job';
import { workflowUrl } from '../temporal-links';
import { freshnessOf } from './freshness';
import type { WaitingFor } from './waiting';

const SHOWN_TICKS = 10;

/** A job as its declaration and this deployment make it. */
export function jobView(
  { jobs }: Pick<AppPorts, 'jobs'>,
  job: JobDeclaration,
  nowMs: number,
): z.input<typeof jobSchema> {
  const schedule = jobs.schedules.find(({ jobName }) => jobName === job.name);
  return {
    name: job.name,
    purpose: job.purpose,
    inputSchema: z.toJSONSchema(job.input, { io: 'input' }),
    schedule:
      schedule === undefined
        ? null
        : {
            scheduleId: schedule.scheduleId,
            cron: schedule.cron,
            overlap: schedule.overlap,
            catchUpSeconds: schedule.catchUpSeconds,
            next: timesOf(nextTicks(schedule.cron, nowMs, SHOWN_TICKS)),
          },
    concurrency: job.concurrency === 'unlimited' ? 'unlimited' : { atMost: job.concurrency.atMost },
    freshness: freshnessOf(jobs, job),
    steps: job.steps.map(({ name }) => name),
    runbook: `docs/runbooks/${job.runbook}`,
  };
}

export const summaryView = (
  { settings }: Pick<AppPorts, 'settings'>,
  run: JobRunSummary,
): z.input<typeof runSummarySchema> => ({
  runId: run.runId,
  jobName: run.jobName,
  workflowId: run.workflowId,
  state: run.state,
  origin: run.origin,
  scheduleId: run.scheduleId,
  nominalAt: run.nominalAt,
  requestedBy: run.requestedBy,
  requestedAt: run.requestedAt,
  startedAt: run.startedAt,
  finishedAt: run.finishedAt,
  step: run.step,
  attempt: run.attempt,
  progress: run.progress,
  failure: run.failure,
  skippedFor: run.skippedFor,
  cancel: run.cancel,
  temporalUrl: workflowUrl(settings, run.workflowId),
});

export function runView(
  ports: Pick<AppPorts, 'settings' | 'jobs'>,
  run: JobRunRecord,
  told: {
    readonly story: readonly StoredRunEvent[];
    readonly evidence: readonly StoredEvidence[];
    readonly waitingFor: WaitingFor | null;
  },
): z.input<typeof runSchema> {
  return {
    ...summaryView(ports, run),
    input: run.input,
    result: run.result,
    waitingFor: told.waitingFor,
    steps: stepsOf(ports.jobs.declared.get(run.jobName), told.story).map((step) => asItEnded(step, run)),
    log: told.story.filter(({ kind }) => kind === 'log').map(({ at, data }) => lineOf(at, data)),
    evidence: told.evidence.map((proof) => ({ ...proof })),
  };
}

type StepView = z.input<typeof runSchema>['steps'][number];

/** Declared steps in their order, then those that an earlier version had. */
function stepsOf(job: JobDeclaration | undefined, story: readonly StoredRunEvent[]): StepView[] {
  const steps = new Map<string, StepView>(
    (job?.steps ?? []).map(({ name }) => [name, { name, state: 'pending', attempts: 0, at: null, detail: null }]),
  );
  for (const { kind, at, data } of story) {
    if (kind !== 'step') continue;
    const { step, attempt, what, detail } = data as {
      step: string;
      attempt: number;
      what: 'started' | 'succeeded' | 'failed';
      detail: string | null;
    }; // as activities/run-job-step.ts writes it
    steps.set(step, { name: step, state: what, attempts: attempt, at, detail });
  }
  return [...steps.values()];
}

/** A step that went on when its run ended has nobody left who could say so: it was cancelled, or its worker is gone. */
const asItEnded = (step: StepView, { finishedAt, failure }: JobRunRecord): StepView =>
  finishedAt !== null && step.state === 'started'
    ? { ...step, state: 'stopped', detail: failure?.message ?? null }
    : step;

const lineOf = (at: string, data: StoredRunEvent['data']): z.input<typeof runSchema>['log'][number] => {
  const { level, message, fields } = data as { level: string; message: string; fields: Record<string, unknown> };
  return { at, level, message, fields };
};

export const scheduleView = (
  schedule: ScheduleRecord,
  told: {
    readonly ticks: readonly ScheduleTick[];
    readonly pause: Pause | null;
    readonly nowMs: number;
  },
): z.input<typeof scheduleSchema> => ({
  scheduleId: schedule.scheduleId,
  jobName: schedule.jobName,
  cron: schedule.cron,
  overlap: schedule.overlap,
  catchUpSeconds: schedule.catchUpSeconds,
  paused: told.pause === null ? null : { since: new Date(told.pause.fromMs).toISOString(), note: told.pause.note },
  next: timesOf(nextTicks(schedule.cron, told.nowMs, SHOWN_TICKS)),
  last: told.ticks.map((tick) => ({ ...tick })),
  auditedUntil: new Date(schedule.auditedUntilMs).toISOString(),
});

const timesOf = (ticks: readonly number[]): string[] => ticks.map((tick) => new Date(tick).toISOString());
