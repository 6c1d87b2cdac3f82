import type { JobRunFailure, JobRunState } from '../domain/job-run';
import type { Queryable } from './pool';
import { storableJson } from './storable-json';

export type NewRunEvent = { readonly atMs: number } & (
  | { readonly kind: 'state'; readonly state: JobRunState; readonly failure?: JobRunFailure }
  | {
      readonly kind: 'step';
      readonly step: string;
      readonly attempt: number;
      readonly what: string;
      readonly detail: string | null;
    }
  | { readonly kind: 'log'; readonly level: string; readonly message: string; readonly fields: object }
  | {
      readonly kind: 'cancel';
      readonly what: 'requested' | 'acknowledged' | 'stopped';
      readonly by?: string;
      readonly reason?: string;
    }
);

/**
 * Adds to a run's story. Numbers are given out under the lock of the run's row, so that they become visible in their
 * order: a reader that has seen number n has seen all before it.
 */
export async function appendRunEvents(tx: Queryable, runId: string, events: readonly NewRunEvent[]): Promise<void> {
  if (events.length === 0) return;
  const acknowledged = events.find((event) => event.kind === 'cancel' && event.what === 'acknowledged');
  const { rows } = await tx.query<{ last: string }>(
    `update job_runs set last_event = last_event + $2,
            cancel_acknowledged_at = coalesce(cancel_acknowledged_at, to_timestamp($3::double precision / 1000))
      where run_id = $1 returning last_event as last`,
    [runId, events.length, acknowledged?.atMs ?? null],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`there is no run ${runId}`);
  const first = Number(row.last) - events.length + 1;
  await tx.query(
    `insert into job_run_events (run_id, seq, at, kind, data)
     select $1, seq, to_timestamp(at_ms / 1000), kind, data
       from unnest($2::bigint[], $3::double precision[], $4::text[], $5::jsonb[]) as e (seq, at_ms, kind, data)`,
    [
      runId,
      events.map((_, index) => first + index),
      events.map(({ atMs }) => atMs),
      events.map(({ kind }) => kind),
      events.map(dataOf),
    ],
  );
}

/** What has no column of its own. */
const dataOf = (event: NewRunEvent): string =>
  storableJson(Object.fromEntries(Object.entries(event).filter(([name]) => name !== 'atMs' && name !== 'kind')));
