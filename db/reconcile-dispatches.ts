import type { DispatchTrace, Finding } from '../domain/reconciliation';
import { insertAccepted, type AcceptedDispatch } from './dispatch-admission';
import { endPastDispatch } from './dispatch-progress';
import type { Database, Queryable } from './pool';

const ACTOR = 'reconcile';
const ENDS: readonly string[] = ['completed', 'cancelled', 'superseded', 'expired'];

/**
 * Brings the dispatches of a restored database to what Temporal knows: those without a row are made again as they were
 * accepted, those that have ended meanwhile are ended. Each in a transaction of its own; without `apply` it only looks.
 */
export async function reconcileDispatches(
  db: Database,
  traces: readonly DispatchTrace[],
  apply: boolean,
): Promise<Finding[]> {
  const { rows } = await db.query<{ dispatch_id: string; open: boolean }>(
    `select dispatch_id, state in ('scheduled', 'active') as open from dispatches where dispatch_id::text = any($1)`,
    [traces.map(({ dispatchId }) => dispatchId)],
  );
  const open = new Map(rows.map((row) => [row.dispatch_id, row.open]));
  const findings: Finding[] = [];
  const unknown = traces.filter(({ dispatchId }) => !open.has(dispatchId));
  for (const trace of unknown.sort(byAcceptance)) findings.push(await recreate(db, trace, apply));
  for (const { dispatchId, endedAs } of traces)
    if (open.get(dispatchId) === true && isEnd(endedAs)) findings.push(await end(db, dispatchId, endedAs, apply));
  return findings;
}

/** Ends the open dispatches whose window is over; nothing else is asked for it. */
export async function endPastDispatches(db: Database, apply: boolean): Promise<Finding[]> {
  const { rows } = await db.query<{ dispatch_id: string; ends_at: Date }>(
    `select dispatch_id, ends_at from dispatches
      where (state in ('scheduled', 'active') and ends_at <= now()) or (state = 'scheduled' and expires_at < now() and begins_at <= now())
      order by ends_at`,
  );
  const findings: Finding[] = [];
  for (const { dispatch_id: subject, ends_at } of rows) {
    const state = apply ? await db.transaction((tx) => endPastDispatch(tx, subject, ACTOR)) : null;
    const detail = `its window was over at ${ends_at.toISOString()}${state === null ? '' : `: ${state}`}`;
    findings.push({ kind: 'dispatch-past', subject, detail, outcome: apply ? 'done' : 'would' });
  }
  return findings;
}

/** Each may have superseded those before it. */
const byAcceptance = (a: DispatchTrace, b: DispatchTrace): number =>
  (acceptedOf(a)?.dispatch.acceptedAt ?? '').localeCompare(acceptedOf(b)?.dispatch.acceptedAt ?? '');

const isEnd = (state: string | null): state is string => state !== null && ENDS.includes(state);

async function recreate(db: Database, trace: DispatchTrace, apply: boolean): Promise<Finding> {
  const { dispatchId: subject, summary, endedAs } = trace;
  const finding = { kind: 'dispatch-unknown' as const, subject };
  const what = `only Temporal knows it${endedAs === null ? '' : ` (${endedAs})`}: ${summary === '' ? 'without a summary' : summary}`;
  const lost = (why: string): Finding => ({ ...finding, detail: `${what}; ${why}`, outcome: 'open' });
  const accepted = acceptedOf(trace);
  if (accepted === null) return lost('what was asked exactly was not recorded: ask for it again where it is wanted');
  const { dispatch } = accepted;
  const known = await db.query('select 1 from feeders where feeder_id = $1', [dispatch.feederId]);
  if (known.rowCount === 0) return lost(`the database does not know feeder ${dispatch.feederId}`);
  if (!apply) return { ...finding, detail: what, outcome: 'would' };
  try {
    await db.transaction(async (tx) => {
      const why = `made again from Temporal; accepted for ${dispatch.requestedBy}: ${dispatch.reason}`;
      await insertAccepted(tx, accepted, { actor: ACTOR, reason: why });
      if (isEnd(endedAs)) await close(tx, subject, endedAs);
      // One that it had superseded is open again in what was restored.
      for (const superseded of accepted.supersedes) await close(tx, superseded, 'superseded', subject);
    });
  } catch (error) {
    return lost(`it cannot be made again: ${error instanceof Error ? error.message : String(error)}`);
  }
  return { ...finding, detail: `${what}; made again`, outcome: 'done' };
}

/** Written by us; checked because it comes back from another program's store. */
function acceptedOf({ accepted, dispatchId }: DispatchTrace): AcceptedDispatch | null {
  if (typeof accepted !== 'object' || accepted === null) return null;
  const found = accepted as Partial<AcceptedDispatch>;
  if (found.dispatch?.dispatchId !== dispatchId || typeof found.digest !== 'string') return null;
  return {
    dispatch: found.dispatch,
    digest: found.digest,
    supersedes: found.supersedes ?? [],
    warnings: found.warnings ?? [],
  };
}

async function end(db: Database, subject: string, state: string, apply: boolean): Promise<Finding> {
  if (apply) await db.transaction((tx) => close(tx, subject, state));
  return {
    kind: 'dispatch-ended',
    subject,
    detail: `open in what was restored, ${state} since, as Temporal knows`,
    outcome: apply ? 'done' : 'would',
  };
}

const close = (tx: Queryable, dispatchId: string, state: string, supersededBy: string | null = null) =>
  tx.query(
    `with changed as (
       update dispatches set state = $2, superseded_by = coalesce($3, superseded_by), revision = revision + 1
        where dispatch_id = $1 and state in ('scheduled', 'active') returning dispatch_id, revision)
     insert into dispatch_history (dispatch_id, revision, state, actor, reason)
     select dispatch_id, revision, $2, '${ACTOR}', 'so it ended after the backup, as Temporal knows' from changed`,
    [dispatchId, state, supersededBy],
  );
