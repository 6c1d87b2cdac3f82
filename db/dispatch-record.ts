import type { DispatchState } from '../domain/dispatch';

/** A dispatch as people see it. kW; times ISO 8601. */
export interface DispatchRecord {
  readonly dispatchId: string;
  readonly feederId: string;
  readonly rootFeederId: string;
  readonly startsAt: string;
  readonly endsAt: string;
  /** `startsAt`, or the moment of acceptance if that was later, plus the random delay drawn then. */
  readonly beginsAt: string;
  readonly expiresAt: string | null;
  readonly importLimitKw: number | null;
  readonly exportLimitKw: number | null;
  readonly targetKw: number | null;
  readonly primacy: number;
  readonly reason: string;
  readonly randomizeStartSeconds: number;
  readonly state: DispatchState;
  readonly requestedBy: string;
  readonly acceptedAt: string;
  readonly baselineKw: number | null;
  readonly supersededBy: string | null;
  readonly revision: number;
}

export interface DispatchRow {
  dispatch_id: string;
  feeder_id: string;
  root_id: string;
  starts_at: Date;
  ends_at: Date;
  begins_at: Date;
  expires_at: Date | null;
  import_limit_kw: number | null;
  export_limit_kw: number | null;
  target_kw: number | null;
  primacy: number;
  reason: string;
  randomize_start_seconds: number;
  state: DispatchState;
  requested_by: string;
  accepted_at: Date;
  baseline_kw: number | null;
  superseded_by: string | null;
  revision: number;
}

export const SELECT_DISPATCHES = `
  select d.dispatch_id, d.feeder_id, f.root_id, d.starts_at, d.ends_at, d.begins_at, d.expires_at, d.import_limit_kw,
         d.export_limit_kw, d.target_kw, d.primacy, d.reason, d.randomize_start_seconds, d.state, d.requested_by,
         d.accepted_at, d.baseline_kw, d.superseded_by, d.revision
    from dispatches d join feeders f on f.feeder_id = d.feeder_id`;

export const toDispatchRecord = (row: DispatchRow): DispatchRecord => ({
  dispatchId: row.dispatch_id,
  feederId: row.feeder_id,
  rootFeederId: row.root_id,
  startsAt: row.starts_at.toISOString(),
  endsAt: row.ends_at.toISOString(),
  beginsAt: row.begins_at.toISOString(),
  expiresAt: row.expires_at?.toISOString() ?? null,
  importLimitKw: row.import_limit_kw,
  exportLimitKw: row.export_limit_kw,
  targetKw: row.target_kw,
  primacy: row.primacy,
  reason: row.reason,
  randomizeStartSeconds: row.randomize_start_seconds,
  state: row.state,
  requestedBy: row.requested_by,
  acceptedAt: row.accepted_at.toISOString(),
  baselineKw: row.baseline_kw,
  supersededBy: row.superseded_by,
  revision: row.revision,
});
