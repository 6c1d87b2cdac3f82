import { z } from 'zod';
import type { ScheduleRecord } from '../../db/schedules';
import { DermsError } from '../../domain/errors';
import { runIdIn } from '../../jobs/runner/run-ids';
import { activeRuns, alreadyRunning } from '../jobs/start-run';
import { scheduleView } from '../jobs/views';
import type { AppPorts } from '../ports';
import { answer, defineRoute, type Route } from '../route';
import { pageOf, uuidSchema } from '../schemas/fields';
import { reasonBody, scheduleIdSchema, scheduleSchema } from '../schemas/job';
import { workflowUrl } from '../temporal-links';

const SHOWN_TICKS = 10;
const scheduleParams = z.strictObject({ scheduleId: scheduleIdSchema });
const changed = { 200: { description: 'The schedule as it is now.', schema: scheduleSchema } } as const;

export const scheduleRoutes: readonly Route[] = [
  defineRoute({
    method: 'get',
    path: '/api/schedules',
    operationId: 'listSchedules',
    tag: 'Schedules',
    summary: 'Everything that runs by itself: last outcomes, next times, and what is paused and why',
    answers: { 200: { description: 'All of them.', schema: pageOf(scheduleSchema) } },
    errors: [],
    handle: async (_input, ports) => {
      const schedules = await ports.schedules.list();
      const items = await Promise.all(schedules.map((schedule) => viewOf(ports, schedule)));
      return answer(200, { items, nextCursor: null });
    },
  }),

  defineRoute({
    method: 'get',
    path: '/api/schedules/{scheduleId}',
    operationId: 'readSchedule',
    tag: 'Schedules',
    summary: 'One schedule',
    params: scheduleParams,
    answers: { 200: { description: 'The schedule.', schema: scheduleSchema } },
    errors: ['SCHEDULE_NOT_FOUND'],
    handle: async ({ params: { scheduleId } }, ports) =>
      answer(200, await viewOf(ports, await find(ports, scheduleId))),
  }),

  defineRoute({
    method: 'post',
    path: '/api/schedules/{scheduleId}/pause',
    operationId: 'pauseSchedule',
    tag: 'Schedules',
    summary: 'Let it start nothing until it is resumed',
    description: 'A pause survives new versions and restarts; its ticks are accounted for as `paused`.',
    params: scheduleParams,
    body: reasonBody,
    answers: changed,
    errors: ['SCHEDULE_NOT_FOUND'],
    needsTemporal: true,
    audit: { action: 'schedule.pause', subject: ({ params }) => params.scheduleId },
    handle: async ({ params: { scheduleId }, body: { reason }, actor }, ports) => {
      await ports.schedules.pause({ scheduleId, reason, actor });
      return answer(200, await viewOf(ports, await find(ports, scheduleId)));
    },
  }),

  defineRoute({
    method: 'post',
    path: '/api/schedules/{scheduleId}/resume',
    operationId: 'resumeSchedule',
    tag: 'Schedules',
    summary: 'Let it start runs again',
    params: scheduleParams,
    body: reasonBody,
    answers: changed,
    errors: ['SCHEDULE_NOT_FOUND'],
    needsTemporal: true,
    audit: { action: 'schedule.resume', subject: ({ params }) => params.scheduleId },
    handle: async ({ params: { scheduleId }, body: { reason }, actor }, ports) => {
      await ports.schedules.resume({ scheduleId, reason, actor });
      return answer(200, await viewOf(ports, await find(ports, scheduleId)));
    },
  }),

  defineRoute({
    method: 'post',
    path: '/api/schedules/{scheduleId}/trigger',
    operationId: 'triggerSchedule',
    tag: 'Schedules',
    summary: 'Run it now, unless a run of its job goes on already',
    params: scheduleParams,
    answers: {
      202: {
        description: 'It was started. `runId` is null for the supervisor, which leaves no run.',
        schema: z.strictObject({
          runId: uuidSchema.nullable(),
          workflowId: z.string(),
          temporalUrl: z.string().nullable(),
        }),
        sometimes: { Location: 'The run, where it leaves one.' },
      },
    },
    errors: ['SCHEDULE_NOT_FOUND', 'JOB_ALREADY_RUNNING'],
    needsTemporal: true,
    waitsMs: () => 5_000,
    audit: { action: 'schedule.trigger', subject: ({ params }) => params.scheduleId },
    handle: async ({ params: { scheduleId }, actor }, ports) => {
      const { jobName } = await find(ports, scheduleId);
      const places = jobName === null ? null : placesOf(ports, jobName);
      const active = jobName === null ? [] : await activeRuns(ports, jobName);
      if (places !== null && active.length >= places) throw alreadyRunning(scheduleId, active);
      const triggered = await ports.schedules.trigger({ scheduleId, actor });
      if (triggered === 'skipped') throw alreadyRunning(scheduleId, active);
      const { workflowId } = triggered;
      const runId = jobName === null ? null : runIdIn(workflowId);
      const temporalUrl = workflowUrl(ports.settings, workflowId);
      const location = runId === null ? {} : { Location: `/api/runs/${runId}` };
      return answer(202, { runId, workflowId, temporalUrl }, { ...location });
    },
  }),
];

/** How many runs of the job there may be at a time; null: any number, or it is no job of this program. */
function placesOf({ jobs }: AppPorts, jobName: string): number | null {
  const concurrency = jobs.declared.get(jobName)?.concurrency ?? 'unlimited';
  return concurrency === 'unlimited' ? null : concurrency.atMost;
}

/** @throws {DermsError} SCHEDULE_NOT_FOUND */
async function find({ schedules }: AppPorts, scheduleId: string): Promise<ScheduleRecord> {
  const schedule = (await schedules.list()).find((found) => found.scheduleId === scheduleId);
  if (schedule === undefined) throw new DermsError('SCHEDULE_NOT_FOUND', `There is no schedule ${scheduleId}.`);
  return schedule;
}

async function viewOf({ schedules }: AppPorts, schedule: ScheduleRecord) {
  const nowMs = Date.now();
  const [ticks, pauses] = await Promise.all([
    schedules.ticks(schedule, SHOWN_TICKS),
    schedules.pauses(schedule.scheduleId, nowMs),
  ]);
  return scheduleView(schedule, { ticks, pause: pauses.find(({ untilMs }) => untilMs === null) ?? null, nowMs });
}
