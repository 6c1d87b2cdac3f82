import type { WantedWorkflows, DispatchStep } from '../domain/control-cycle';
import { dispatchReport, type Measurement } from '../domain/dispatch-report';
import type { Database, Queryable } from './pool';
import { QUARANTINE_REASON } from './quarantine';

/** A dispatch's way through its states by the clock; what people decide about it is in `dispatches.ts`. */
export const createDispatchProgress = (db: Database) => ({
  /**
   * Brings the dispatch to the state its window says; harmless to repeat. null when there is none. While the database is
   * quarantined nothing changes, and the row is looked at again later.
   */
  advance: (dispatchId: string): Promise<DispatchStep | null> => db.transaction((tx) => advance(tx, dispatchId)),

  /** What should run, says Postgres. */
  wanted: () => wanted(db),
});

interface Row {
  readonly feeder_id: string;
  readonly root_id: string;
  readonly state: string;
  readonly begins_ms: number;
  readonly ends_ms: number;
  readonly expires_ms: number | null;
  readonly now_ms: number;
  readonly import_limit_kw: number | null;
  readonly export_limit_kw: number | null;
  readonly target_kw: number | null;
  readonly requested_by: string;
  readonly reason: string;
  readonly baseline_kw: number | null;
  readonly quarantine: string | null;
}

/** A lift tells the dispatches at once; this is for one that was missed, ms. */
const LOOK_WHILE_QUARANTINED_MS = 300_000;

/** Ends, also under quarantine, a dispatch whose window is over, with its report. @returns the state it has then. */
export async function endPastDispatch(tx: Queryable, dispatchId: string, actor: string): Promise<string | null> {
  const row = await lockRow(tx, dispatchId);
  if (row === null) return null;
  const state = stateByClock(row);
  if (state === row.state || isOpen(state)) return row.state;
  await change(tx, dispatchId, row, state, actor);
  return state;
}

async function advance(tx: Queryable, dispatchId: string): Promise<DispatchStep | null> {
  const row = await lockRow(tx, dispatchId);
  if (row === null) return null;
  if (row.quarantine !== null && isOpen(row.state)) return standingStill(row, row.quarantine);
  const state = stateByClock(row);
  if (state !== row.state) await change(tx, dispatchId, row, state);
  return {
    state,
    rootFeederId: row.root_id,
    changed: state !== row.state,
    nextAtMs: state === 'scheduled' ? row.begins_ms : state === 'active' ? row.ends_ms : null,
    summary: summarise(row, state),
  };
}

async function lockRow(tx: Queryable, dispatchId: string): Promise<Row | null> {
  const { rows } = await tx.query<Row>(
    `select d.feeder_id, f.root_id, d.state, (extract(epoch from d.begins_at) * 1000)::float8 as begins_ms,
            (extract(epoch from d.ends_at) * 1000)::float8 as ends_ms,
            (extract(epoch from d.expires_at) * 1000)::float8 as expires_ms,
            (extract(epoch from now()) * 1000)::float8 as now_ms,
            d.import_limit_kw, d.export_limit_kw, d.target_kw, d.requested_by, d.reason, d.baseline_kw,
            ${QUARANTINE_REASON} as quarantine
       from dispatches d join feeders f using (feeder_id) where d.dispatch_id = $1 for update of d`,
    [dispatchId],
  );
  return rows[0] ?? null;
}

const isOpen = (state: string): boolean => state === 'scheduled' || state === 'active';

const standingStill = (row: Row, quarantine: string): DispatchStep => ({
  state: row.state,
  rootFeederId: row.root_id,
  changed: false,
  nextAtMs: row.now_ms + LOOK_WHILE_QUARANTINED_MS,
  summary: `quarantined (${quarantine}), still ${summarise(row, row.state)}`.slice(0, 380),
});

function stateByClock({ state, now_ms, begins_ms, ends_ms, expires_ms }: Row): string {
  if (state === 'scheduled') {
    if (now_ms < begins_ms) return 'scheduled';
    if (now_ms >= ends_ms || (expires_ms !== null && now_ms > expires_ms)) return 'expired';
    return 'active';
  }
  return state === 'active' && now_ms >= ends_ms ? 'completed' : state;
}

const WHY: Readonly<Record<string, string>> = {
  active: 'its window has begun',
  completed: 'its window is over',
  expired: 'it could not be started in time',
};

async function change(tx: Queryable, dispatchId: string, row: Row, state: string, actor = 'dispatch'): Promise<void> {
  const report = state === 'completed' ? await reportOf(tx, dispatchId, row) : null;
  await tx.query(
    `with changed as (
       update dispatches set state = $2, revision = revision + 1, report = coalesce($4, report),
         baseline_kw = case $2 when 'active' then (select flow_kw from meter_state m where m.feeder_id = dispatches.feeder_id)
                               else baseline_kw end
       where dispatch_id = $1
       returning dispatch_id, revision)
     insert into dispatch_history (dispatch_id, revision, state, actor, reason)
     select dispatch_id, revision, $2, $5, $3 from changed`,
    [dispatchId, state, WHY[state] ?? 'by the clock', report === null ? null : JSON.stringify(report), actor],
  );
}

async function reportOf(tx: Queryable, dispatchId: string, row: Row): Promise<unknown> {
  const { rows } = await tx.query<{
    at_ms: number;
    high_kw: number | null;
    low_kw: number | null;
    measured_kw: number | null;
  }>(
    `select (extract(epoch from measured_at) * 1000)::float8 as at_ms, high_kw, low_kw, measured_kw
       from dispatch_measurements where dispatch_id = $1 order by measured_at`,
    [dispatchId],
  );
  const measurements: Measurement[] = rows.map((sample) => ({
    atMs: sample.at_ms,
    highKw: sample.high_kw,
    lowKw: sample.low_kw,
    measuredKw: sample.measured_kw,
  }));
  return dispatchReport({
    beginsAtMs: row.begins_ms,
    endsAtMs: row.ends_ms,
    baselineKw: row.baseline_kw,
    measurements,
  });
}

/** `active until 19:00Z: feeder-a import ≤ 60 kW, asked by anna: heat wave` */
function summarise(row: Row, state: string): string {
  const asked = [
    row.target_kw === null ? null : `target ${String(row.target_kw)} kW`,
    row.import_limit_kw === null ? null : `import ≤ ${String(row.import_limit_kw)} kW`,
    row.export_limit_kw === null ? null : `export ≤ ${String(row.export_limit_kw)} kW`,
  ].filter((part) => part !== null);
  const when =
    state === 'scheduled' ? ` from ${clock(row.begins_ms)}` : state === 'active' ? ` until ${clock(row.ends_ms)}` : '';
  return `${state}${when}: ${row.feeder_id} ${asked.join(', ')}, asked by ${row.requested_by}: ${row.reason}`.slice(
    0,
    380,
  );
}

const clock = (ms: number): string => new Date(ms).toISOString().slice(0, 19) + 'Z';

/**
 * Of a quarantined database no dispatch is wanted: some may be over since. A loop that has not planned for three
 * intervals or 30 s is worth a start: starting one that runs is harmless.
 */
async function wanted(db: Database): Promise<WantedWorkflows> {
  const roots = await db.query<{ feeder_id: string; planned: boolean }>(
    `select f.feeder_id,
            coalesce(l.planned_at > now() - make_interval(secs => greatest(3 * f.interval_seconds, 30)), false) as planned
       from feeders f left join control_loops l on l.root_feeder_id = f.feeder_id
      where f.parent_id is null and f.enabled order by f.feeder_id`,
  );
  const dispatches = await db.query<{ dispatch_id: string; root_id: string }>(
    `select d.dispatch_id, f.root_id from dispatches d join feeders f using (feeder_id)
      where d.state in ('scheduled', 'active') and ${QUARANTINE_REASON} is null order by d.begins_at`,
  );
  return {
    roots: roots.rows.map(({ feeder_id, planned }) => ({ rootFeederId: feeder_id, planned })),
    dispatches: dispatches.rows.map(({ dispatch_id, root_id }) => ({ dispatchId: dispatch_id, rootFeederId: root_id })),
  };
}
