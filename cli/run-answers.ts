import { z } from 'zod';
import { ageText } from './times';

/** Of a run what the commands show; the API says more. */
export const runSummarySchema = z.looseObject({
  runId: z.string(),
  jobName: z.string(),
  state: z.string(),
  requestedBy: z.string(),
  requestedAt: z.string(),
  startedAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
  failure: z.object({ code: z.string(), message: z.string() }).nullable(),
  skippedFor: z.string().nullable(),
  cancel: z.looseObject({ state: z.string(), requestedBy: z.string().nullable() }).nullable(),
  temporalUrl: z.string().nullable(),
});
export type RunSummary = z.output<typeof runSummarySchema>;

export const runSchema = runSummarySchema.extend({
  input: z.unknown(),
  result: z.unknown(),
  waitingFor: z
    .looseObject({ what: z.string(), queue: z.string(), since: z.string(), workers: z.number().nullable() })
    .nullable(),
  steps: z.array(
    z.looseObject({ name: z.string(), state: z.string(), attempts: z.number(), detail: z.string().nullable() }),
  ),
  log: z.array(
    z.looseObject({
      at: z.string(),
      level: z.string(),
      message: z.string(),
      fields: z.record(z.string(), z.unknown()),
    }),
  ),
  evidence: z.array(z.looseObject({ at: z.string(), kind: z.string(), data: z.record(z.string(), z.unknown()) })),
});
export type Run = z.output<typeof runSchema>;

/**
 * What a shell or a CronJob makes of a run: 0 it succeeded, 1 it failed, was cancelled or terminated, 3 it is not over,
 * 4 there was nothing to do. (2 is for commands that could not be carried out: see `failure.ts`.)
 */
export function exitCodeOf(state: string): number {
  switch (state) {
    case 'succeeded':
      return 0;
    case 'waiting':
    case 'running':
      return 3;
    case 'skipped':
      return 4;
    default:
      return 1;
  }
}

/** `succeeded in 4 s`, `failed after 2 s: STORE_FULL, no room`, `waiting since 3 s`. */
export function outcomeText(run: RunSummary, now: Date): string {
  const lasted = (from: string | null, until: number): string =>
    from === null ? '' : ageText(Math.max(0, (until - Date.parse(from)) / 1_000));
  if (run.finishedAt === null) {
    const since = lasted(run.startedAt ?? run.requestedAt, now.getTime());
    const asked = run.cancel === null ? '' : `, cancellation ${run.cancel.state}`;
    return `${run.state} since ${since}${asked}`;
  }
  const took = lasted(run.startedAt, Date.parse(run.finishedAt));
  const after = took === '' ? '' : run.state === 'succeeded' ? ` in ${took}` : ` after ${took}`;
  return `${run.state}${after}${run.failure === null ? '' : `: ${run.failure.code}, ${run.failure.message}`}`;
}

/** `size=21 made=["a","b"]` */
export const fieldsText = (fields: Readonly<Record<string, unknown>>): string =>
  Object.entries(fields)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');

/** `12:00:03`, in this machine's zone. */
export const clockText = (at: string): string => new Date(at).toTimeString().slice(0, 8);
