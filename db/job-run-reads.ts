import { DermsError } from '../domain/errors';
import type { JobRunState } from '../domain/job-run';
import type { NewRunEvent } from './job-run-events';
import {
  runRecordOf,
  runSummaryOf,
  SELECT_JOB_RUNS,
  type JobRunRecord,
  type JobRunRow,
  type JobRunSummary,
} from './job-run-record';
import type { Queryable } from './pool';

export interface JobRunFilter {
  readonly jobName: string | null;
  readonly state: JobRunState | null;
  readonly origin: JobRunSummary['origin'] | null;
  readonly requestedBy: string | null;
  /** Runs asked for before this one only. */
  readonly before: { readonly requestedAt: string; readonly runId: string } | null;
  readonly limit: number;
}

/** Newest first. */
export async function listJobRuns(db: Queryable, filter: JobRunFilter): Promise<JobRunSummary[]> {
  const { rows } = await db.query<JobRunRow>(
    `${SELECT_JOB_RUNS}
      where ($1::text is null or job_name = $1)
        and ($2::text is null or state = $2)
        and ($3::text is null or origin = $3)
        and ($4::text is null or requested_by = $4)
        and ($5::timestamptz is null or (requested_at, run_id) < ($5::timestamptz, $6::uuid))
      order by requested_at desc, run_id desc limit $7`,
    [
      filter.jobName,
      filter.state,
      filter.origin,
      filter.requestedBy,
      filter.before?.requestedAt ?? null,
      filter.before?.runId ?? null,
      filter.limit,
    ],
  );
  return rows.map(runSummaryOf);
}

/** null when there is no row of it (yet). */
export async function findJobRun(db: Queryable, runId: string): Promise<JobRunRecord | null> {
  const { rows } = await db.query<JobRunRow>(`${SELECT_JOB_RUNS} where run_id = $1`, [runId]);
  return rows[0] === undefined ? null : runRecordOf(rows[0]);
}

/** @throws {DermsError} RUN_NOT_FOUND */
export async function readJobRun(db: Queryable, runId: string): Promise<JobRunRecord> {
  const run = await findJobRun(db, runId);
  if (run === null) throw new DermsError('RUN_NOT_FOUND', `There is no run ${runId}.`);
  return run;
}

/** Of these, the ones that have a row. */
export async function knownJobRuns(db: Queryable, runIds: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await db.query<{ run_id: string }>('select run_id from job_runs where run_id = any($1)', [runIds]);
  return new Set(rows.map(({ run_id }) => run_id));
}

export interface StoredRunEvent {
  readonly seq: number;
  readonly at: string;
  readonly kind: NewRunEvent['kind'];
  readonly data: Readonly<Record<string, unknown>>;
}

/** The story after `afterSeq`, oldest first. */
export async function listRunEvents(
  db: Queryable,
  runId: string,
  afterSeq: number,
  limit: number,
): Promise<StoredRunEvent[]> {
  const { rows } = await db.query<{ seq: string; at: Date; kind: NewRunEvent['kind']; data: Record<string, unknown> }>(
    'select seq, at, kind, data from job_run_events where run_id = $1 and seq > $2 order by seq limit $3',
    [runId, afterSeq, limit],
  );
  return rows.map(({ seq, at, kind, data }) => ({ seq: Number(seq), at: at.toISOString(), kind, data }));
}

export interface StoredEvidence {
  readonly at: string;
  readonly kind: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What a run has left as proof, oldest first. */
export async function listEvidence(db: Queryable, runId: string): Promise<StoredEvidence[]> {
  const { rows } = await db.query<{ at: Date; kind: string; data: Record<string, unknown> }>(
    'select at, kind, data from job_evidence where run_id = $1 order by id limit 200',
    [runId],
  );
  return rows.map(({ at, kind, data }) => ({ at: at.toISOString(), kind, data }));
}
