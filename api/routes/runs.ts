import { z } from 'zod';
import type { JobRunRecord } from '../../db/job-run-record';
import { DermsError } from '../../domain/errors';
import { exactTime, pageOfRows, readCursor } from '../cursor';
import { followRun } from '../jobs/follow-run';
import { findRun, readRunView, runsWithoutRow, unbegunRun } from '../jobs/read-run';
import { summaryView } from '../jobs/views';
import type { AppPorts } from '../ports';
import { answer, defineRoute, type Route } from '../route';
import { cursorField, pageLimit, pageOf, textField, uuidSchema } from '../schemas/fields';
import {
  jobNameSchema,
  reasonBody,
  runEventSchema,
  runOriginSchema,
  runSchema,
  runStateSchema,
  runSummarySchema,
} from '../schemas/job';
import { tellWorkflow } from '../tell-workflow';

const runParams = z.strictObject({ runId: uuidSchema });
const requestCursor = z.tuple([exactTime, z.uuid()]);

export const runRoutes: readonly Route[] = [
  defineRoute({
    method: 'get',
    path: '/api/runs',
    operationId: 'listRuns',
    tag: 'Jobs',
    summary: 'Runs of jobs, newest first',
    description: 'Those that Temporal has made and no worker has begun stand first, on the first page.',
    query: z.strictObject({
      job: jobNameSchema.optional(),
      state: runStateSchema.optional(),
      origin: runOriginSchema.optional(),
      requestedBy: textField(128).optional(),
      limit: pageLimit(500, 50),
      cursor: cursorField,
    }),
    answers: { 200: { description: 'A page of runs.', schema: pageOf(runSummarySchema) } },
    errors: [],
    handle: async ({ query }, ports) => {
      const { job, state, origin, requestedBy, limit } = query;
      const before = readCursor(requestCursor, query.cursor);
      const rows = await ports.runs.list({
        jobName: job ?? null,
        state: state ?? null,
        origin: origin ?? null,
        requestedBy: requestedBy ?? null,
        before: before === null ? null : { requestedAt: before[0], runId: before[1] },
        limit: limit + 1,
      });
      const page = pageOfRows(rows, limit, ({ requestedAt, runId }) => [requestedAt, runId]);
      const unbegun = before === null ? await runsWithoutRow(ports) : [];
      const asked = unbegun.filter(
        (run) =>
          (job ?? run.jobName) === run.jobName &&
          (state ?? run.state) === run.state &&
          (origin ?? run.origin) === run.origin &&
          (requestedBy ?? run.requestedBy) === run.requestedBy,
      );
      return answer(200, { ...page, items: [...asked, ...page.items].map((run) => summaryView(ports, run)) });
    },
  }),

  defineRoute({
    method: 'get',
    path: '/api/runs/{runId}',
    operationId: 'readRun',
    tag: 'Jobs',
    summary: 'One run: steps, progress, log lines, proof, result, and what it waits for',
    params: runParams,
    answers: { 200: { description: 'The run.', schema: runSchema } },
    errors: ['RUN_NOT_FOUND'],
    handle: async ({ params: { runId } }, ports) => answer(200, await readRunView(ports, await knownRun(ports, runId))),
  }),

  defineRoute({
    method: 'get',
    path: '/api/runs/{runId}/events',
    operationId: 'followRun',
    tag: 'Jobs',
    summary: 'A run as it goes on: its story so far, then each event as it comes, until it is over',
    description:
      'Server-sent events. `Last-Event-ID` goes on where a reader was cut off; a stream lasts a quarter of an hour at most.',
    params: runParams,
    headers: z.strictObject({
      'last-event-id': z.coerce.number().int().min(0).default(0).describe('The last event that was read.'),
    }),
    answers: { 200: { description: 'Events.', schema: runEventSchema, stream: true } },
    errors: ['RUN_NOT_FOUND', 'TOO_MANY_REQUESTS'],
    handle: async ({ params: { runId }, headers }, ports) => {
      await knownRun(ports, runId);
      return answer(200, (signal: AbortSignal) => followRun(ports.runs, runId, headers['last-event-id'], signal));
    },
  }),

  defineRoute({
    method: 'post',
    path: '/api/runs/{runId}/cancel',
    operationId: 'cancelRun',
    tag: 'Jobs',
    summary: 'Ask a run to stop: requested, acknowledged by its worker, stopped',
    params: runParams,
    body: reasonBody,
    answers: { 200: { description: 'It was asked; one that still waited is over.', schema: runSchema } },
    errors: ['RUN_NOT_FOUND', 'RUN_OVER'],
    audit: { action: 'job.cancel', subject: ({ params }) => params.runId },
    handle: async ({ params: { runId }, body: { reason }, actor }, ports) => {
      const run = await ports.runs.cancel({ runId, reason, actor, unbegun: await unbegunRun(ports, runId) });
      await tellWorkflow(ports, 'cancel-run', { runId, requestId: actor.requestId }, (to) =>
        to.cancelJobRun(run.workflowId),
      );
      return answer(200, await readRunView(ports, run));
    },
  }),

  defineRoute({
    method: 'post',
    path: '/api/runs/{runId}/terminate',
    operationId: 'terminateRun',
    tag: 'Jobs',
    summary: 'End a run without asking it',
    description: 'For one that does not stop when it is cancelled. Its worker hears of it and stops within seconds.',
    params: runParams,
    body: reasonBody,
    answers: { 200: { description: 'It is over.', schema: runSchema } },
    errors: ['RUN_NOT_FOUND', 'RUN_OVER'],
    audit: { action: 'job.terminate', subject: ({ params }) => params.runId },
    handle: async ({ params: { runId }, body: { reason }, actor }, ports) => {
      const run = await ports.runs.terminate({ runId, reason, actor, unbegun: await unbegunRun(ports, runId) });
      await tellWorkflow(ports, 'terminate-run', { runId, requestId: actor.requestId }, (to) =>
        to.terminateJobRun(run.workflowId, `${actor.user}: ${reason}`),
      );
      return answer(200, await readRunView(ports, run));
    },
  }),
];

async function knownRun(ports: AppPorts, runId: string): Promise<JobRunRecord> {
  const run = await findRun(ports, runId);
  if (run === null) throw new DermsError('RUN_NOT_FOUND', `There is no run ${runId}.`);
  return run;
}
