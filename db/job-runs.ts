import { SILENT_AFTER_SECONDS, type FinishedState, type JobRunFailure, type JobRunState } from '../domain/job-run';
import { appendRunEvents, type NewRunEvent } from './job-run-events';
import type { Database, Queryable } from './pool';
import { storableJson } from './storable-json';

export interface RunRecord {
  readonly runId: string;
  readonly jobName: string;
  readonly workflowId: string;
  readonly origin: 'api' | 'schedule' | 'temporal';
  readonly scheduleId: string | null;
  readonly nominalAtMs: number | null;
  readonly requestedAtMs: number;
  readonly input: unknown;
  readonly slots: readonly string[] | null;
}

export type Claimed =
  | { readonly outcome: 'running' }
  | { readonly outcome: 'over'; readonly state: FinishedState; readonly reason: string }
  | { readonly outcome: 'taken'; readonly holders: readonly { readonly runId: string; readonly workflowId: string }[] };

interface Closed {
  readonly state: FinishedState;
  readonly failure: JobRunFailure | null;
}

/** Runs as the workers that carry them out write them. */
export const createJobRunStore = (db: Database) => ({
  claim: (run: RunRecord): Promise<Claimed> => db.transaction((tx) => claimRun(tx, run)),

  refuse: (run: RunRecord, end: Closed & { readonly skippedFor: string | null }): Promise<void> =>
    db.transaction(async (tx) => {
      await insertRun(tx, { ...run, slots: null });
      await finishRun(tx, run.runId, { ...end, result: null });
      await tx.query('update job_runs set skipped_for = $2 where run_id = $1', [run.runId, end.skippedFor]);
    }),

  settle: (runId: string, closed: Closed): Promise<void> =>
    db.transaction(async (tx) => {
      await finishRun(tx, runId, { ...closed, result: null });
      await releaseSilent(tx, runId);
    }),

  async beat(
    runId: string,
    { step, attempt, progress }: { step: string; attempt: number; progress: object | null },
  ): Promise<{ state: JobRunState; cancelRequested: boolean }> {
    const { rows } = await db.query<{ state: JobRunState; cancelled: boolean }>(
      `update job_runs set heartbeat_at = now(), step = $2, attempt = $3, progress = coalesce($4, progress)
        where run_id = $1
        returning state, cancel_requested_at is not null as cancelled`,
      [runId, step, attempt, progress === null ? null : storableJson(progress)],
    );
    const [row] = rows;
    return row === undefined
      ? { state: 'terminated', cancelRequested: false }
      : { state: row.state, cancelRequested: row.cancelled };
  },

  addEvents: (runId: string, events: readonly NewRunEvent[]): Promise<void> =>
    db.transaction((tx) => appendRunEvents(tx, runId, events)),

  async addEvidence(runId: string, kind: string, data: object): Promise<void> {
    await db.query('insert into job_evidence (run_id, kind, data) values ($1, $2, $3)', [
      runId,
      kind,
      storableJson(data),
    ]);
  },

  finish: ({ runId, ...end }: Closed & { readonly runId: string; readonly result: unknown }): Promise<void> =>
    db.transaction(async (tx) => {
      await finishRun(tx, runId, end);
      await tx.query('update job_runs set released_at = now() where run_id = $1 and released_at is null', [runId]);
    }),

  async stopped(runId: string): Promise<void> {
    await db.query(
      `update job_runs set released_at = now(), heartbeat_at = now()
        where run_id = $1 and finished_at is not null and released_at is null`,
      [runId],
    );
  },
});

async function claimRun(tx: Queryable, run: RunRecord): Promise<Claimed> {
  const inserted = await insertRun(tx, run);
  if (inserted === 'taken') return { outcome: 'taken', holders: await holdersOf(tx, run.slots ?? []) };
  const { rows } = await tx.query<{ state: JobRunState; failure: JobRunFailure | null }>(
    'select state, failure from job_runs where run_id = $1 for update',
    [run.runId],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`run ${run.runId} has gone while it was claimed`);
  if (row.state !== 'waiting' && row.state !== 'running')
    return { outcome: 'over', state: row.state, reason: row.failure?.message ?? row.state };
  if (row.state === 'waiting') {
    await tx.query(
      `update job_runs set state = 'running', started_at = now(), heartbeat_at = now() where run_id = $1`,
      [run.runId],
    );
    await appendRunEvents(tx, run.runId, [{ kind: 'state', state: 'running', atMs: Date.now() }]);
  }
  return { outcome: 'running' };
}

/**
 * Makes the row of a run, in a free place of its job; a row that is there already is left as it is.
 *
 * Each place is tried by an insert that the unique index decides, so that two runs at once never both get it.
 */
export async function insertRun(
  tx: Queryable,
  run: RunRecord & { readonly requestedBy?: string; readonly idempotencyKey?: string | null },
): Promise<'inserted' | 'there' | 'taken'> {
  const there = await tx.query('select 1 from job_runs where run_id = $1', [run.runId]);
  if (there.rowCount !== 0) return 'there';
  for (const slot of run.slots ?? [null]) {
    const { rowCount } = await tx.query(
      `insert into job_runs (run_id, job_name, workflow_id, origin, schedule_id, nominal_at, requested_by, requested_at,
                             idempotency_key, input, state, slot)
       values ($1, $2, $3, $4, $5, to_timestamp($6::double precision / 1000), $7, to_timestamp($8::double precision / 1000), $9, $10, 'waiting', $11)
       on conflict do nothing`,
      [
        run.runId,
        run.jobName,
        run.workflowId,
        run.origin,
        run.scheduleId,
        run.nominalAtMs,
        run.requestedBy ?? (run.origin === 'schedule' ? `schedule ${run.scheduleId ?? ''}` : 'temporal'),
        run.requestedAtMs,
        run.idempotencyKey ?? null,
        storableJson(run.input ?? {}),
        slot,
      ],
    );
    if (rowCount === 0) continue;
    await appendRunEvents(tx, run.runId, [{ kind: 'state', state: 'waiting', atMs: run.requestedAtMs }]);
    return 'inserted';
  }
  const meanwhile = await tx.query('select 1 from job_runs where run_id = $1', [run.runId]);
  return meanwhile.rowCount === 0 ? 'taken' : 'there';
}

/** Who has the places now. */
export async function holdersOf(
  tx: Queryable,
  slots: readonly string[],
): Promise<{ runId: string; workflowId: string }[]> {
  const { rows } = await tx.query<{ run_id: string; workflow_id: string }>(
    'select run_id, workflow_id from job_runs where slot = any($1) and released_at is null order by requested_at',
    [slots],
  );
  return rows.map((row) => ({ runId: row.run_id, workflowId: row.workflow_id }));
}

/** The end of a run, told once: what is over stays as it is. @returns whether it was told now. */
export async function finishRun(
  tx: Queryable,
  runId: string,
  { state, failure, result }: Closed & { readonly result: unknown },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update job_runs set state = $2, failure = $3, result = $4, finished_at = now(),
            cancel_acknowledged_at = case when $2 = 'cancelled' then coalesce(cancel_acknowledged_at, now()) else cancel_acknowledged_at end,
            released_at = case when started_at is null then now() else released_at end
      where run_id = $1 and finished_at is null`,
    [
      runId,
      state,
      failure === null ? null : storableJson(failure),
      result === null || result === undefined ? null : storableJson(result),
    ],
  );
  if (rowCount === 0) return false;
  await tx.query(
    `insert into job_run_totals (job_name, state, runs) select job_name, state, 1 from job_runs where run_id = $1
     on conflict (job_name, state) do update set runs = job_run_totals.runs + 1`,
    [runId],
  );
  await appendRunEvents(tx, runId, [
    { kind: 'state', state, atMs: Date.now(), ...(failure === null ? {} : { failure }) },
  ]);
  return true;
}

/** Gives the place of a run that is over away once its worker has been silent for long enough to be gone. */
export async function releaseSilent(tx: Queryable, runId: string): Promise<void> {
  await tx.query(
    `update job_runs set released_at = now()
      where run_id = $1 and finished_at is not null and released_at is null
        and coalesce(heartbeat_at, started_at) < now() - make_interval(secs => $2)`,
    [runId, SILENT_AFTER_SECONDS],
  );
}
