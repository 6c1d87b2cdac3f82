import { DermsError } from '../domain/errors';
import { JOB_CANCELLED } from '../domain/job-run';
import { appendAudit, type Actor } from './audit';
import { appendRunEvents } from './job-run-events';
import { readJobRun } from './job-run-reads';
import type { JobRunRecord } from './job-run-record';
import { finishRun, holdersOf, insertRun, type RunRecord } from './job-runs';
import type { Database, Queryable } from './pool';
import { storableJson } from './storable-json';

/** What people decide about runs: the row, its story and the audit entry in one transaction; Temporal is told afterwards. */

export interface JobRunOrder {
  readonly runId: string;
  readonly jobName: string;
  readonly workflowId: string;
  readonly input: unknown;
  readonly slots: readonly string[] | null;
  /** Runs of the job that Temporal has made and no worker has taken up: they come first, and have no row yet. */
  readonly unbegun: readonly RunHolder[];
  readonly idempotencyKey: string | null;
  /** The run whose input is taken again. */
  readonly againOf: string | null;
  readonly actor: Actor;
}

export type JobRunOrdered =
  | { readonly outcome: 'accepted'; readonly run: JobRunRecord; readonly repeated: boolean }
  | { readonly outcome: 'taken'; readonly holders: readonly RunHolder[] };

export interface RunHolder {
  readonly runId: string;
  readonly workflowId: string;
}

/**
 * Makes the run, waiting and in its place; the same key of the same person gives the same run.
 *
 * @throws {DermsError} IDEMPOTENCY_KEY_REUSED
 */
export const orderJobRun = (db: Database, order: JobRunOrder): Promise<JobRunOrdered> =>
  db.transaction(async (tx) => {
    const before = await findRepetition(tx, order);
    if (before !== null) return { outcome: 'accepted', run: await readJobRun(tx, before), repeated: true };
    const { runId, jobName, input, againOf, actor, slots, unbegun } = order;
    if (slots !== null && unbegun.length >= slots.length) return { outcome: 'taken', holders: unbegun };
    const inserted = await insertRun(tx, {
      ...order,
      origin: 'api',
      scheduleId: null,
      nominalAtMs: null,
      requestedAtMs: Date.now(),
      requestedBy: actor.user,
    });
    if (inserted === 'taken') return { outcome: 'taken', holders: await holdersOf(tx, slots ?? []) };
    const detail = { jobName, input, ...(againOf === null ? {} : { againOf }) };
    await appendAudit(tx, actor, { action: 'job.start', subject: runId, outcome: 'done', detail });
    return { outcome: 'accepted', run: await readJobRun(tx, runId), repeated: false };
  });

/** Held until the end of the transaction: two requests with one key are decided one after the other. */
async function findRepetition(tx: Queryable, order: JobRunOrder): Promise<string | null> {
  const { idempotencyKey, jobName, input, actor } = order;
  if (idempotencyKey === null) return null;
  await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`job:${actor.user}\n${idempotencyKey}`]);
  const { rows } = await tx.query<{ run_id: string; same: boolean }>(
    `select run_id, job_name = $3 and input = $4::jsonb as same
       from job_runs where requested_by = $1 and idempotency_key = $2`,
    [actor.user, idempotencyKey, jobName, storableJson(input)],
  );
  const [row] = rows;
  if (row === undefined) return null;
  if (!row.same) throw new DermsError('IDEMPOTENCY_KEY_REUSED', 'This Idempotency-Key came before, with another body.');
  return row.run_id;
}

export interface RunEndOrder {
  readonly runId: string;
  readonly reason: string;
  readonly actor: Actor;
  /** The run as Temporal knows it, when it has no row yet: it gets one with its end. */
  readonly unbegun: RunRecord | null;
}

/**
 * Asks for a run to be cancelled: what works on it reads that from the row within a second or two. A run that still waits
 * is over at once; asking again changes nothing.
 *
 * @throws {DermsError} RUN_NOT_FOUND; RUN_OVER when it has ended in another way.
 */
export const cancelJobRun = (db: Database, { runId, reason, actor, unbegun }: RunEndOrder): Promise<JobRunRecord> =>
  db.transaction(async (tx) => {
    if (unbegun !== null) await insertRun(tx, unbegun);
    const run = await lockRun(tx, runId);
    if (run.state === 'cancelled') return run;
    refuseOver(run);
    if ((run.cancel?.requestedAt ?? null) === null) {
      await tx.query(
        'update job_runs set cancel_requested_at = now(), cancel_requested_by = $2, cancel_reason = $3 where run_id = $1',
        [runId, actor.user, reason],
      );
      await appendRunEvents(tx, runId, [
        { kind: 'cancel', what: 'requested', by: actor.user, reason, atMs: Date.now() },
      ]);
      const detail = { jobName: run.jobName, reason, state: run.state };
      await appendAudit(tx, actor, { action: 'job.cancel', subject: runId, outcome: 'done', detail });
    }
    if (run.state === 'waiting')
      await finishRun(tx, runId, {
        state: 'cancelled',
        failure: { code: JOB_CANCELLED, message: `cancelled before it began: ${reason}` },
        result: null,
      });
    return readJobRun(tx, runId);
  });

/**
 * Ends a run without asking it. Its place is free when its worker has stopped, or has been silent for long.
 *
 * @throws {DermsError} RUN_NOT_FOUND, RUN_OVER
 */
export const terminateJobRun = (db: Database, { runId, reason, actor, unbegun }: RunEndOrder): Promise<JobRunRecord> =>
  db.transaction(async (tx) => {
    if (unbegun !== null) await insertRun(tx, unbegun);
    const run = await lockRun(tx, runId);
    if (run.state === 'terminated') return run;
    refuseOver(run);
    await finishRun(tx, runId, {
      state: 'terminated',
      failure: { code: 'JOB_TERMINATED', message: `terminated by ${actor.user}: ${reason}` },
      result: null,
    });
    const detail = { jobName: run.jobName, reason, state: run.state };
    await appendAudit(tx, actor, { action: 'job.terminate', subject: runId, outcome: 'done', detail });
    return readJobRun(tx, runId);
  });

async function lockRun(tx: Queryable, runId: string): Promise<JobRunRecord> {
  await tx.query('select 1 from job_runs where run_id = $1 for update', [runId]);
  return readJobRun(tx, runId);
}

function refuseOver({ runId, state, finishedAt }: JobRunRecord): void {
  if (finishedAt !== null) throw new DermsError('RUN_OVER', `Run ${runId} is over: ${state} at ${finishedAt}.`);
}
