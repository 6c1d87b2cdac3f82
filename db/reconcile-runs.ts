import type { Finding, RunTrace } from '../domain/reconciliation';
import { finishRun, insertRun } from './job-runs';
import type { Database, Queryable } from './pool';

/** What `jobs/` knows of its runs. */
export interface RunNaming {
  runIdOf(trace: RunTrace): string;
  /** Places of the job, of which a run that goes on holds one; null when any number may run. */
  placesOf(jobName: string): readonly string[] | null;
}

/** Makes the runs again that only Temporal knows, and ends those that have ended meanwhile. */
export async function reconcileRuns(
  db: Database,
  traces: readonly RunTrace[],
  naming: RunNaming,
  apply: boolean,
): Promise<Finding[]> {
  const { rows } = await db.query<{ workflow_id: string; open: boolean }>(
    'select workflow_id, finished_at is null as open from job_runs where workflow_id = any($1)',
    [traces.map(({ workflowId }) => workflowId)],
  );
  const open = new Map(rows.map((row) => [row.workflow_id, row.open]));
  const findings: Finding[] = [];
  for (const trace of traces) {
    const known = open.get(trace.workflowId);
    if (known === false || (known === true && trace.end === null)) continue;
    findings.push(await reconcileRun(db, trace, naming, { known: known === true, apply }));
  }
  return findings;
}

async function reconcileRun(
  db: Database,
  trace: RunTrace,
  naming: RunNaming,
  { known, apply }: { readonly known: boolean; readonly apply: boolean },
): Promise<Finding> {
  const finding = { kind: known ? ('run-ended' as const) : ('run-unknown' as const), subject: trace.workflowId };
  const state = trace.end?.state ?? 'goes on';
  const detail = known ? `open in what was restored, ${state} since` : `only Temporal knows it: ${state}`;
  if (!apply) return { ...finding, detail, outcome: 'would' };
  const made = await db.transaction((tx) => write(tx, trace, naming));
  if (!made) return { ...finding, detail: `${detail}; another run holds its place: wait or end one`, outcome: 'open' };
  return { ...finding, detail, outcome: 'done' };
}

/** false: no place was free. */
async function write(tx: Queryable, trace: RunTrace, naming: RunNaming): Promise<boolean> {
  const { workflowId, jobName, input, scheduleId, nominalAtMs, startedAtMs, end } = trace;
  const runId = naming.runIdOf(trace);
  const inserted = await insertRun(tx, {
    ...{ runId, jobName, workflowId, input, scheduleId, nominalAtMs, requestedAtMs: startedAtMs },
    origin: scheduleId !== null ? 'schedule' : trace.runId === null ? 'temporal' : 'api',
    requestedBy: scheduleId === null ? 'reconcile' : `schedule ${scheduleId}`,
    slots: end === null ? naming.placesOf(jobName) : null,
  });
  if (inserted === 'taken') return false;
  if (end === null) return true;
  const { atMs, ...ended } = end;
  if (await finishRun(tx, runId, ended))
    await tx.query(
      `update job_runs set started_at = coalesce(started_at, to_timestamp($2::double precision / 1000)),
              finished_at = to_timestamp($3::double precision / 1000), released_at = coalesce(released_at, now())
        where run_id = $1`,
      [runId, startedAtMs, atMs],
    );
  return true;
}
