import { z } from 'zod';
import type { JobRunRecord } from '../../db/job-run-record';
import { DermsError } from '../../domain/errors';
import { declaredJob, startRun, waitForRun, type RunAsked } from '../jobs/start-run';
import { jobView, summaryView } from '../jobs/views';
import { readRunView } from '../jobs/read-run';
import type { AppPorts } from '../ports';
import { answer, defineRoute, type Route } from '../route';
import { pageOf, uuidSchema } from '../schemas/fields';
import { jobDetailSchema, jobNameSchema, jobSchema, runSchema, startHeaders } from '../schemas/job';

const LAST_RUNS = 10;
const jobParams = z.strictObject({ jobName: jobNameSchema });
const started = {
  200: {
    description: 'It was over in time; asked for with `Prefer: wait`.',
    schema: runSchema,
    headers: { 'Preference-Applied': '`wait`' },
    sometimes: { 'Idempotent-Replayed': '`true` when the request came before.' },
  },
  202: {
    description: 'It is written down and carried out whatever happens to our processes.',
    schema: runSchema,
    headers: { Location: 'The run.' },
    sometimes: { 'Idempotent-Replayed': '`true` when the request came before.' },
  },
} as const;
const errors = ['JOB_NOT_FOUND', 'JOB_ALREADY_RUNNING', 'IDEMPOTENCY_KEY_REUSED', 'VALIDATION_FAILED'] as const;

export const jobRoutes: readonly Route[] = [
  defineRoute({
    method: 'get',
    path: '/api/jobs',
    operationId: 'listJobs',
    tag: 'Jobs',
    summary: 'Every job: what it is for, what it takes, when it runs by itself, and whether it keeps its promise',
    answers: { 200: { description: 'All of them.', schema: pageOf(jobSchema) } },
    errors: [],
    handle: (_input, ports) => {
      const items = [...ports.jobs.declared.values()].map((job) => jobView(ports, job, Date.now()));
      return Promise.resolve(answer(200, { items, nextCursor: null }));
    },
  }),

  defineRoute({
    method: 'get',
    path: '/api/jobs/{jobName}',
    operationId: 'readJob',
    tag: 'Jobs',
    summary: 'One job, with its last runs',
    params: jobParams,
    answers: { 200: { description: 'The job.', schema: jobDetailSchema } },
    errors: ['JOB_NOT_FOUND'],
    handle: async ({ params: { jobName } }, ports) => {
      const job = declaredJob(ports, jobName);
      const filter = { jobName, state: null, origin: null, requestedBy: null, before: null, limit: LAST_RUNS };
      const lastRuns = (await ports.runs.list(filter)).map((run) => summaryView(ports, run));
      return answer(200, { ...jobView(ports, job, Date.now()), lastRuns });
    },
  }),

  defineRoute({
    method: 'post',
    path: '/api/jobs/{jobName}/runs',
    operationId: 'startJobRun',
    tag: 'Jobs',
    summary: 'Run a job now',
    description:
      'The body is the job’s input, by the JSON Schema that `GET /api/jobs/{jobName}` shows; `{}` takes every default. ' +
      'With no worker of the jobs role the run waits, and says so in `waitingFor`.',
    params: jobParams,
    headers: startHeaders,
    body: z.record(z.string(), z.unknown()),
    answers: started,
    errors: [...errors],
    needsTemporal: true,
    waitsMs: ({ headers }) => (headers.prefer ?? 0) * 1_000,
    audit: { action: 'job.start', subject: ({ params }) => params.jobName },
    handle: ({ params: { jobName }, headers, body, actor }, ports) =>
      start(ports, headers, { jobName, input: body, againOf: null, actor }),
  }),

  defineRoute({
    method: 'post',
    path: '/api/runs/{runId}/run-again',
    operationId: 'runAgain',
    tag: 'Jobs',
    summary: 'Run the same job with the same input',
    params: z.strictObject({ runId: uuidSchema }),
    headers: startHeaders,
    answers: started,
    errors: ['RUN_NOT_FOUND', ...errors],
    needsTemporal: true,
    waitsMs: ({ headers }) => (headers.prefer ?? 0) * 1_000,
    audit: { action: 'job.start', subject: ({ params }) => params.runId },
    handle: async ({ params: { runId }, headers, actor }, ports) => {
      const { jobName, input } = await readRow(ports, runId);
      return start(ports, headers, { jobName, input, againOf: runId, actor });
    },
  }),
];

async function start(ports: AppPorts, headers: z.output<typeof startHeaders>, asked: Omit<RunAsked, 'idempotencyKey'>) {
  const { run, repeated } = await startRun(ports, { ...asked, idempotencyKey: headers['idempotency-key'] ?? null });
  const waitSeconds = headers.prefer ?? 0;
  const seen = await waitForRun(ports, run, waitSeconds * 1_000);
  const replayed = repeated ? { 'Idempotent-Replayed': 'true' } : {};
  const shown = await readRunView(ports, seen);
  return waitSeconds > 0 && seen.finishedAt !== null
    ? answer(200, shown, { ...replayed, 'Preference-Applied': `wait=${String(waitSeconds)}` })
    : answer(202, shown, { ...replayed, Location: `/api/runs/${run.runId}` });
}

async function readRow(ports: AppPorts, runId: string): Promise<JobRunRecord> {
  const run = await ports.runs.find(runId);
  if (run === null) throw new DermsError('RUN_NOT_FOUND', `There is no run ${runId}.`);
  return run;
}
