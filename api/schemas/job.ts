import { z } from 'zod';
import { JOB_RUN_STATES } from '../../domain/job-run';
import { TICK_OUTCOMES } from '../../domain/tick-accounting';
import { textField, timestampSchema, uuidSchema } from './fields';

export const jobNameSchema = z.string().regex(/^[a-z][a-z0-9-]{0,63}$/, 'is no name of a job');
export const scheduleIdSchema = z.string().regex(/^[a-z][a-z0-9-]{0,127}$/, 'is no id of a schedule');
export const runStateSchema = z.enum(JOB_RUN_STATES);
export const runOriginSchema = z.enum(['api', 'schedule', 'temporal']);
const failureSchema = z
  .strictObject({
    code: z.string(),
    message: z.string(),
    exception: z.string().optional().describe('Of one that was skipped: the exception of the promise that it found.'),
  })
  .nullable();

export const runSummarySchema = z
  .strictObject({
    runId: uuidSchema,
    jobName: z.string(),
    workflowId: z.string(),
    state: runStateSchema,
    origin: runOriginSchema.describe('Who made it: this API, a schedule, or somebody with Temporal’s own tools.'),
    scheduleId: z.string().nullable(),
    nominalAt: timestampSchema.nullable().describe('The tick that it was made for.'),
    requestedBy: z.string(),
    requestedAt: timestampSchema,
    startedAt: timestampSchema.nullable(),
    finishedAt: timestampSchema.nullable(),
    step: z.string().nullable(),
    attempt: z.number().int(),
    progress: z.record(z.string(), z.unknown()).readonly().nullable(),
    failure: failureSchema.describe('Why it failed, was skipped, cancelled or terminated.'),
    skippedFor: z.string().nullable().describe('The run that had its place.'),
    cancel: z
      .strictObject({
        state: z.enum(['requested', 'acknowledged', 'stopped']),
        requestedAt: timestampSchema.nullable(),
        requestedBy: z.string().nullable(),
        reason: z.string().nullable(),
        acknowledgedAt: timestampSchema.nullable(),
      })
      .nullable(),
    temporalUrl: z.string().nullable(),
  })
  .meta({ id: 'JobRunSummary' });

export const runSchema = runSummarySchema
  .extend({
    input: z.unknown(),
    result: z.unknown().describe('What its last step answered; null until it has succeeded.'),
    waitingFor: z
      .strictObject({
        what: z.enum(['worker', 'turn']).describe('`worker`: nobody polls the queue; `turn`: those who do are busy.'),
        queue: z.string(),
        since: timestampSchema,
        workers: z.number().int().nullable().describe('null when Temporal cannot say.'),
      })
      .nullable(),
    steps: z.array(
      z.strictObject({
        name: z.string(),
        state: z
          .enum(['pending', 'started', 'succeeded', 'failed', 'stopped'])
          .describe('`stopped`: the run ended while it went on, by a cancellation or with its worker.'),
        attempts: z.number().int(),
        at: timestampSchema.nullable(),
        detail: z.string().nullable(),
      }),
    ),
    log: z.array(
      z.strictObject({
        at: timestampSchema,
        level: z.string(),
        message: z.string(),
        fields: z.record(z.string(), z.unknown()),
      }),
    ),
    evidence: z.array(
      z.strictObject({ at: timestampSchema, kind: z.string(), data: z.record(z.string(), z.unknown()).readonly() }),
    ),
  })
  .meta({ id: 'JobRun' });

export const tickSchema = z.strictObject({
  nominalAt: timestampSchema,
  outcome: z
    .enum(TICK_OUTCOMES)
    .describe(
      '`ran`: it was started, well or badly; `skipped`: another run stood for it, or there was nothing to do; `missed`: nothing ' +
        'started it in its catch-up window; `paused`. Of the moment: `waiting` for a worker or its turn; `due`: nothing has ' +
        'started it yet.',
    ),
  runId: z.string().nullable(),
  runState: runStateSchema.nullable().describe('How its run stands.'),
  lateSeconds: z.number().nullable().describe('How long after its time a worker took it up.'),
  detail: z.string().nullable().describe('Why, in words.'),
});

export const scheduleSchema = z
  .strictObject({
    scheduleId: z.string(),
    jobName: z.string().nullable().describe('null for the supervisor of control loops.'),
    cron: z.string().describe('UTC.'),
    overlap: z.enum(['skip', 'buffer-one']),
    catchUpSeconds: z.number(),
    paused: z.strictObject({ since: timestampSchema, note: z.string() }).nullable(),
    next: z.array(timestampSchema).describe('The next ten nominal ticks; while it is paused none of them runs.'),
    last: z.array(tickSchema).describe('The last ten nominal ticks up to now, newest first.'),
    auditedUntil: timestampSchema.describe(
      'What became of ticks up to here is written down; of later ones it is worked out now.',
    ),
  })
  .meta({ id: 'Schedule' });

export const jobSchema = z
  .strictObject({
    name: z.string(),
    purpose: z.string(),
    inputSchema: z.record(z.string(), z.unknown()).describe('JSON Schema of what a run is given.'),
    schedule: z
      .strictObject({
        scheduleId: z.string(),
        cron: z.string(),
        overlap: z.enum(['skip', 'buffer-one']),
        catchUpSeconds: z.number(),
        next: z.array(timestampSchema),
      })
      .nullable()
      .describe('null: it does not run by itself in this deployment.'),
    concurrency: z.union([z.literal('unlimited'), z.strictObject({ atMost: z.number().int() })]),
    freshness: z
      .strictObject({
        objective: z.string(),
        withinSeconds: z.number(),
        state: z
          .enum(['fresh', 'stale', 'never', 'unknown', 'excused'])
          .describe('`never`: not yet, and not too late; `excused`: nothing is promised as things are.'),
        ageSeconds: z.number().nullable(),
        exception: z.string().nullable().describe('Why another promise holds than the ordinary one.'),
      })
      .nullable(),
    steps: z.array(z.string()),
    runbook: z.string(),
  })
  .meta({ id: 'Job' });

export const jobDetailSchema = jobSchema.extend({ lastRuns: z.array(runSummarySchema) }).meta({ id: 'JobDetail' });

export const reasonBody = z.strictObject({ reason: textField(500) });
export const runEventSchema = z
  .record(z.string(), z.unknown())
  .describe(
    'Data of one event. Events: `state`, `step`, `log` and `cancel` with an id, `progress` without, and `end` at the end.',
  );

/** RFC 7240: what is not understood is left out, not refused. */
const MOST_WAIT_SECONDS = 60;
export const startHeaders = z.strictObject({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'is 1 to 255 printable characters without spaces')
    .optional()
    .describe('Names this request: sent again, it gives the same run.'),
  prefer: z
    .string()
    .max(256)
    .transform((text) => {
      const seconds = /(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])/.exec(text)?.[1];
      return seconds === undefined ? 0 : Math.min(MOST_WAIT_SECONDS, Number(seconds));
    })
    .optional()
    .describe(
      `\`wait=30\`: answer with the finished run when it ends within 30 s; at most ${String(MOST_WAIT_SECONDS)} s.`,
    ),
});
