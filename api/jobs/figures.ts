import { readJobFigures, type JobFigures, type WaitingRun } from '../../db/job-figures';
import type { JobRunSummary } from '../../db/job-run-record';
import type { Queryable } from '../../db/pool';
import { keepSampling } from '../health/sampling';
import type { JobsPort } from './ports';

const EVERY_MS = 5_000;
const WITHIN_MS = 2_000;
/** Ticks are to be accounted for when they are older than this: the audit is hourly, ms. */
const ACCOUNTED_AFTER_MS = 2.25 * 3_600_000;
const WINDOW_MS = 26 * 3_600_000;

/**
 * Reads what metrics and health tell of jobs, again and again: a scrape never waits for the database.
 *
 * @param unbegun runs that have no row yet.
 */
export function keepJobFigures(
  db: Queryable,
  jobNames: readonly string[],
  unbegun: () => Promise<readonly JobRunSummary[]>,
): { readonly read: JobsPort['figures']; readonly first: Promise<void>; readonly stop: () => void } {
  let last: { readonly figures: JobFigures; readonly atMs: number } | null = null;
  const { first, stop } = keepSampling({
    look: async () => {
      const [figures, open] = await Promise.all([readJobFigures(db, jobNames, auditedWindow(Date.now())), unbegun()]);
      return { ...figures, waiting: [...figures.waiting, ...open.map(waitingOf)] };
    },
    withinMs: WITHIN_MS,
    everyMs: EVERY_MS,
    onResult: (result) => {
      if (result.ok) last = { figures: result.value, atMs: performance.now() };
    },
  });
  return {
    read: () => (last === null ? null : { figures: last.figures, ageSeconds: (performance.now() - last.atMs) / 1000 }),
    first,
    stop,
  };
}

/** Where every tick is to be accounted for. */
export const auditedWindow = (nowMs: number): { readonly fromMs: number; readonly untilMs: number } => ({
  fromMs: nowMs - WINDOW_MS,
  untilMs: nowMs - ACCOUNTED_AFTER_MS,
});

const waitingOf = ({ runId, jobName, workflowId, requestedAt }: JobRunSummary): WaitingRun => ({
  runId,
  jobName,
  workflowId,
  input: {},
  stepsDone: [],
  sinceMs: Date.parse(requestedAt),
});
