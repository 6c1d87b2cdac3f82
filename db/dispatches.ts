import { isClosed } from '../domain/dispatch';
import type { DispatchState } from '../domain/dispatch';
import { DermsError } from '../domain/errors';
import { appendAudit, type Actor } from './audit';
import { SELECT_DISPATCHES, toDispatchRecord, type DispatchRecord, type DispatchRow } from './dispatch-record';
import { EXACT_UTC } from './exact-utc';
import type { Database, Queryable } from './pool';
import { DISPATCH_IN_FORCE } from './tree-snapshot';

export interface DispatchFilter {
  readonly feederId: string | null;
  readonly state: DispatchState | null;
  /** Not over yet. */
  readonly openOnly: boolean;
  /** The last row of the page before. */
  readonly before: { readonly acceptedAt: string; readonly dispatchId: string } | null;
  readonly limit: number;
}

export interface ListedDispatch {
  readonly dispatch: DispatchRecord;
  /** For cursors: to the microsecond. */
  readonly exactAcceptedAt: string;
}

/** Newest first. */
export async function listDispatches(db: Queryable, filter: DispatchFilter): Promise<ListedDispatch[]> {
  const { rows } = await db.query<DispatchRow & { exact: string }>(
    `select d.*, to_char(d.accepted_at at time zone 'UTC', '${EXACT_UTC}') as exact from (${SELECT_DISPATCHES}) d
      where ($1::text is null or feeder_id = $1)
        and ($2::text is null or state = $2)
        and (not $3::boolean or state in ('requested', 'awaiting-approval', 'scheduled', 'active'))
        and ($4::timestamptz is null or (accepted_at, dispatch_id) < ($4, $5::uuid))
      order by accepted_at desc, dispatch_id desc limit $6`,
    [
      ...[filter.feederId, filter.state, filter.openOnly],
      ...[filter.before?.acceptedAt ?? null, filter.before?.dispatchId ?? null, filter.limit],
    ],
  );
  return rows.map((row) => ({ dispatch: toDispatchRecord(row), exactAcceptedAt: row.exact }));
}

export interface DispatchInForce {
  readonly dispatchId: string;
  readonly feederId: string;
  readonly importLimitKw: number | null;
  readonly exportLimitKw: number | null;
  readonly targetKw: number | null;
  readonly endsAt: string;
}

/** Those whose window it is, of every tree or of one. */
export async function listDispatchesInForce(
  db: Queryable,
  rootFeederId: string | null = null,
): Promise<DispatchInForce[]> {
  const { rows } = await db.query<Omit<DispatchInForce, 'endsAt'> & { endsAt: Date }>(
    `select d.dispatch_id as "dispatchId", d.feeder_id as "feederId", d.import_limit_kw as "importLimitKw",
            d.export_limit_kw as "exportLimitKw", d.target_kw as "targetKw", d.ends_at as "endsAt"
       from dispatches d join feeders f on f.feeder_id = d.feeder_id
      where d.state in ('scheduled', 'active') and ${DISPATCH_IN_FORCE} and ($1::text is null or f.root_id = $1)
      order by d.ends_at, d.dispatch_id`,
    [rootFeederId],
  );
  return rows.map((row) => ({ ...row, endsAt: row.endsAt.toISOString() }));
}

export interface DispatchHistoryEntry {
  readonly revision: number;
  readonly at: string;
  readonly state: string;
  readonly actor: string;
  readonly reason: string;
}

/** What was asked and measured in the cycles while it was active. kW. */
export interface MeasurementSummary {
  readonly cycles: number;
  readonly firstAt: string | null;
  readonly lastAt: string | null;
  readonly lastMeasuredKw: number | null;
  readonly lastHighKw: number | null;
  readonly lastLowKw: number | null;
  readonly averageMeasuredKw: number | null;
}

export interface DispatchStory extends DispatchRecord {
  readonly history: readonly DispatchHistoryEntry[];
  readonly measurements: MeasurementSummary;
  readonly report: unknown;
}

/** @throws {DermsError} DISPATCH_NOT_FOUND */
export async function readDispatch(db: Queryable, dispatchId: string): Promise<DispatchStory> {
  const dispatch = await findDispatch(db, dispatchId);
  const [history, measurements, report] = await Promise.all([
    db.query<Omit<DispatchHistoryEntry, 'at'> & { at: Date }>(
      'select revision, at, state, actor, reason from dispatch_history where dispatch_id = $1 order by revision',
      [dispatchId],
    ),
    db.query<MeasurementRow>(MEASUREMENT_SUMMARY, [dispatchId]),
    db.query<{ report: unknown }>('select report from dispatches where dispatch_id = $1', [dispatchId]),
  ]);
  return {
    ...dispatch,
    history: history.rows.map((row) => ({ ...row, at: row.at.toISOString() })),
    measurements: toSummary(measurements.rows[0]),
    report: report.rows[0]?.report ?? null,
  };
}

export interface DispatchCancelled {
  readonly dispatch: DispatchRecord;
  /** It had begun: the loop must take it back. */
  readonly wasInForce: boolean;
}

/**
 * Closes the dispatch, with history and audit row.
 *
 * @throws {DermsError} DISPATCH_NOT_FOUND; DISPATCH_CLOSED when it is over already.
 */
export const cancelDispatch = (
  db: Database,
  { dispatchId, reason, actor }: { readonly dispatchId: string; readonly reason: string; readonly actor: Actor },
): Promise<DispatchCancelled> =>
  db.transaction(async (tx) => {
    await tx.query('select 1 from dispatches where dispatch_id = $1 for update', [dispatchId]);
    const before = await findDispatch(tx, dispatchId);
    const { rows } = await tx.query<{ over: boolean; in_force: boolean }>(
      `select ends_at <= now() as over, begins_at <= now() as in_force from dispatches where dispatch_id = $1`,
      [dispatchId],
    );
    if (isClosed(before.state) || rows[0]?.over === true) {
      const state = isClosed(before.state) ? before.state : 'completed';
      throw new DermsError('DISPATCH_CLOSED', `Dispatch ${dispatchId} is ${state} already.`);
    }
    await tx.query(
      `with changed as (
         update dispatches set state = 'cancelled', revision = revision + 1 where dispatch_id = $1
         returning dispatch_id, revision)
       insert into dispatch_history (dispatch_id, revision, state, actor, reason)
       select dispatch_id, revision, 'cancelled', $2, $3 from changed`,
      [dispatchId, actor.user, reason],
    );
    const dispatch = await findDispatch(tx, dispatchId);
    await appendAudit(tx, actor, {
      action: 'dispatch.cancel',
      subject: dispatchId,
      outcome: 'done',
      detail: { reason, before: before.state, after: 'cancelled' },
    });
    return { dispatch, wasInForce: rows[0]?.in_force === true };
  });

/** Postgres' clock at this moment, ISO 8601 to the microsecond; to be asked outside of a transaction. */
export async function readClock(db: Queryable): Promise<string> {
  const { rows } = await db.query<{ at: string }>(
    `select to_char(clock_timestamp() at time zone 'UTC', '${EXACT_UTC}') as at`,
  );
  return rows[0]?.at ?? new Date(0).toISOString();
}

/** How far a root's loop is; times as in `readClock`. */
export interface LoopProgress {
  readonly plannedAt: string | null;
  readonly finishedAt: string | null;
}

export async function readLoopProgress(db: Queryable, rootFeederId: string): Promise<LoopProgress> {
  const { rows } = await db.query<LoopProgress>(
    `select to_char(planned_at at time zone 'UTC', '${EXACT_UTC}') as "plannedAt",
            to_char(finished_at at time zone 'UTC', '${EXACT_UTC}') as "finishedAt"
       from control_loops where root_feeder_id = $1`,
    [rootFeederId],
  );
  return rows[0] ?? { plannedAt: null, finishedAt: null };
}

async function findDispatch(db: Queryable, dispatchId: string): Promise<DispatchRecord> {
  const { rows } = await db.query<DispatchRow>(`${SELECT_DISPATCHES} where d.dispatch_id = $1`, [dispatchId]);
  if (rows[0] === undefined) throw new DermsError('DISPATCH_NOT_FOUND', `There is no dispatch ${dispatchId}.`);
  return toDispatchRecord(rows[0]);
}

interface MeasurementRow {
  cycles: number;
  first_at: Date | null;
  last_at: Date | null;
  measured_kw: number | null;
  high_kw: number | null;
  low_kw: number | null;
  average_kw: number | null;
}

const MEASUREMENT_SUMMARY = `
  select total.cycles, total.first_at, total.last_at, total.average_kw, last.measured_kw, last.high_kw, last.low_kw
    from (select count(*)::int as cycles, min(measured_at) as first_at, max(measured_at) as last_at,
                 avg(measured_kw) as average_kw
            from dispatch_measurements where dispatch_id = $1) total
    left join dispatch_measurements last on last.dispatch_id = $1 and last.measured_at = total.last_at`;

const toSummary = (row: MeasurementRow | undefined): MeasurementSummary => ({
  cycles: row?.cycles ?? 0,
  firstAt: row?.first_at?.toISOString() ?? null,
  lastAt: row?.last_at?.toISOString() ?? null,
  lastMeasuredKw: row?.measured_kw ?? null,
  lastHighKw: row?.high_kw ?? null,
  lastLowKw: row?.low_kw ?? null,
  averageMeasuredKw: row?.average_kw ?? null,
});
