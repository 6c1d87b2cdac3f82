import type { ControlMode } from '../domain/fleet';
import type { DispatchRequest, OpenDispatch } from '../domain/dispatch';
import { admitDispatch, checkDispatchRequest } from '../domain/dispatch-rules';
import { DermsError, type ErrorCode, type FieldFault } from '../domain/errors';
import { appendAudit, type Actor } from './audit';
import { SELECT_DISPATCHES, type DispatchRecord, type DispatchRow } from './dispatch-record';
import { lockRoots } from './feeder-tree';
import type { Database, Queryable } from './pool';

export interface DispatchOrder {
  readonly dispatchId: string;
  /** null start: the moment of acceptance. */
  readonly request: Omit<DispatchRequest, 'startsAtMs'> & { readonly startsAtMs: number | null };
  /** The random delay that was drawn, at most `randomizeStartSeconds`. */
  readonly startDelayMs: number;
  /** Of the request as it was sent: tells a repetition from another request with the same key. */
  readonly digest: string;
  readonly validateOnly: boolean;
  readonly actor: Actor;
}

export interface DispatchAccepted {
  readonly outcome: 'accepted';
  readonly dispatch: DispatchRecord;
  readonly supersedes: readonly string[];
  readonly warnings: readonly string[];
  /** The same request came before, and this is what it was answered. */
  readonly repeated: boolean;
  /** Not over yet: whoever carries it out may have to be told again. */
  readonly open: boolean;
}

export interface DispatchRefused {
  readonly outcome: 'refused';
  readonly code: ErrorCode;
  readonly message: string;
  readonly faults: readonly FieldFault[];
  readonly conflictsWith: readonly string[];
}

/**
 * Decides about a dispatch in one transaction that holds the root of its tree: nobody else decides about the same tree
 * meanwhile. What is accepted is stored with its history and audit row, and what it supersedes is closed.
 *
 * @throws {DermsError} FEEDER_NOT_FOUND, FEEDER_DISABLED, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED.
 */
export const decideDispatch = (db: Database, order: DispatchOrder): Promise<DispatchAccepted | DispatchRefused> =>
  db.transaction(async (tx) => {
    if (!order.validateOnly) {
      const before = await findRepetition(tx, order);
      if (before !== null) return before;
    }
    const feeder = await lockTree(tx, order.request.feederId);
    const nowMs = await clockMs(tx); // after the wait for the lock
    const request = { ...order.request, startsAtMs: order.request.startsAtMs ?? nowMs };
    throwIfFaulty(request, nowMs);
    const decision = admitDispatch({
      request,
      nowMs,
      feeder,
      existing: await openDispatches(tx, feeder.rootFeederId, request.endsAtMs, nowMs),
    });
    if (decision.outcome === 'refused') {
      const { conflictsWith } = decision;
      return { ...decision, conflictsWith: conflictsWith === undefined ? [] : [conflictsWith] };
    }
    const dispatch = recordOf(order, request, feeder.rootFeederId, nowMs);
    const accepted = { dispatch, supersedes: decision.supersedes, warnings: decision.warnings };
    if (order.validateOnly) {
      await audit(tx, order, 'validated', accepted);
      return { outcome: 'accepted', ...accepted, repeated: false, open: false };
    }
    await insert(tx, order, accepted);
    for (const dispatchId of decision.supersedes) await supersede(tx, dispatchId, order);
    await audit(tx, order, 'done', accepted);
    return { outcome: 'accepted', ...accepted, repeated: false, open: true };
  });

interface LockedFeeder {
  readonly feederId: string;
  readonly rootFeederId: string;
  readonly importLimitKw: number;
  readonly exportLimitKw: number;
}

/** Held until the end of the transaction: two requests with one key are decided one after the other. */
async function findRepetition(tx: Queryable, { dispatchId, digest }: DispatchOrder): Promise<DispatchAccepted | null> {
  await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`dispatch:${dispatchId}`]);
  const { rows } = await tx.query<{
    request_digest: string;
    state: string;
    answer: Omit<DispatchAccepted, 'outcome' | 'repeated' | 'open'>; // written by `insert` below
  }>('select request_digest, state, answer from dispatches where dispatch_id = $1', [dispatchId]);
  const row = rows[0];
  if (row === undefined) return null;
  if (row.request_digest !== digest) {
    throw new DermsError('IDEMPOTENCY_KEY_REUSED', 'This Idempotency-Key came before, with another body.');
  }
  const open = row.state === 'scheduled' || row.state === 'active';
  return { outcome: 'accepted', ...row.answer, repeated: true, open };
}

/** A feeder may be hung elsewhere while we wait for its root: then the new root is waited for. */
async function lockTree(tx: Queryable, feederId: string): Promise<LockedFeeder> {
  let locked: string | null = null;
  for (;;) {
    const { rows } = await tx.query<{
      root_id: string;
      import_limit_kw: number;
      export_limit_kw: number;
      mode: ControlMode;
      enabled: boolean;
    }>(
      `select f.root_id, f.import_limit_kw, f.export_limit_kw, r.mode, r.enabled
         from feeders f join feeders r on r.feeder_id = f.root_id where f.feeder_id = $1`,
      [feederId],
    );
    const row = rows[0];
    if (row === undefined) throw atFeeder('FEEDER_NOT_FOUND', `There is no feeder ${feederId}.`);
    if (locked !== row.root_id) {
      locked = row.root_id;
      await lockRoots(tx, [locked]);
      continue;
    }
    if (!row.enabled) throw atFeeder('FEEDER_DISABLED', `Nobody controls ${feederId}: ${locked} is stopped.`);
    if (row.mode === 'disabled') {
      throw atFeeder('FEEDER_DISABLED', `Nobody controls ${feederId}: ${locked} is in mode disabled.`);
    }
    const { import_limit_kw: importLimitKw, export_limit_kw: exportLimitKw } = row;
    return { feederId, rootFeederId: locked, importLimitKw, exportLimitKw };
  }
}

const atFeeder = (code: ErrorCode, message: string): DermsError =>
  new DermsError(code, message, { faults: [{ pointer: '/feederId', message }] });

async function clockMs(tx: Queryable): Promise<number> {
  const { rows } = await tx.query<{ ms: number }>(
    'select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms',
  );
  return Math.floor(rows[0]?.ms ?? 0);
}

/** A start in the past is taken as now: what is drawn must fit into what is left of the window. */
function throwIfFaulty(request: DispatchRequest, nowMs: number): void {
  const asAsked = checkDispatchRequest(request, nowMs);
  const fromNow = { ...request, startsAtMs: Math.max(request.startsAtMs, nowMs) };
  const faults = asAsked.length > 0 ? asAsked : checkDispatchRequest(fromNow, nowMs);
  if (faults.length === 0) return;
  const many = faults.length === 1 ? 'one fault' : `${String(faults.length)} faults`;
  throw new DermsError('VALIDATION_FAILED', `The request has ${many}; nothing was done.`, { faults });
}

/** Of the whole tree, with windows that have not ended and begin before `endsAtMs`. */
async function openDispatches(
  tx: Queryable,
  rootFeederId: string,
  endsAtMs: number,
  nowMs: number,
): Promise<OpenDispatch[]> {
  const { rows } = await tx.query<DispatchRow>(
    `${SELECT_DISPATCHES}
      where f.root_id = $1 and d.state in ('scheduled', 'active')
        and d.ends_at > to_timestamp($3 / 1000.0) and d.starts_at < to_timestamp($2 / 1000.0)
        and (d.state = 'active' or d.expires_at is null or d.expires_at >= to_timestamp($3 / 1000.0))`,
    [rootFeederId, endsAtMs, nowMs],
  );
  return rows.map((row) => ({
    dispatchId: row.dispatch_id,
    feederId: row.feeder_id,
    importLimitKw: row.import_limit_kw,
    exportLimitKw: row.export_limit_kw,
    targetKw: row.target_kw,
    primacy: row.primacy,
    acceptedAtMs: row.accepted_at.getTime(),
    startsAtMs: row.starts_at.getTime(),
    endsAtMs: row.ends_at.getTime(),
  }));
}

function recordOf(
  { dispatchId, startDelayMs, validateOnly, actor }: DispatchOrder,
  request: DispatchRequest,
  rootFeederId: string,
  nowMs: number,
): DispatchRecord {
  const at = (ms: number): string => new Date(ms).toISOString();
  const { expiresAtMs } = request;
  return {
    dispatchId,
    feederId: request.feederId,
    rootFeederId,
    startsAt: at(request.startsAtMs),
    endsAt: at(request.endsAtMs),
    beginsAt: at(Math.max(request.startsAtMs, nowMs) + startDelayMs),
    expiresAt: expiresAtMs === undefined || expiresAtMs === null ? null : at(expiresAtMs),
    importLimitKw: request.importLimitKw ?? null,
    exportLimitKw: request.exportLimitKw ?? null,
    targetKw: request.targetKw ?? null,
    primacy: request.primacy,
    reason: request.reason,
    randomizeStartSeconds: request.randomizeStartSeconds ?? 0,
    state: validateOnly ? 'requested' : 'scheduled',
    requestedBy: actor.user,
    acceptedAt: at(nowMs),
    baselineKw: null,
    supersededBy: null,
    revision: 1,
  };
}

type Decided = Pick<DispatchAccepted, 'dispatch' | 'supersedes' | 'warnings'>;

/** All that is stored of an accepted dispatch. */
export type AcceptedDispatch = Decided & { readonly digest: string };

const insert = (tx: Queryable, { digest, actor }: DispatchOrder, decided: Decided): Promise<void> =>
  insertAccepted(tx, { ...decided, digest }, { actor: actor.user, reason: decided.dispatch.reason });

/** Stored with the first line of its history. */
export async function insertAccepted(
  tx: Queryable,
  { digest, ...decided }: AcceptedDispatch,
  told: { readonly actor: string; readonly reason: string },
): Promise<void> {
  const { dispatch } = decided;
  await tx.query(
    `insert into dispatches (dispatch_id, feeder_id, starts_at, ends_at, begins_at, expires_at, import_limit_kw,
                             export_limit_kw, target_kw, primacy, reason, randomize_start_seconds, state, requested_by,
                             request_digest, answer, accepted_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
    [
      ...[dispatch.dispatchId, dispatch.feederId, dispatch.startsAt, dispatch.endsAt, dispatch.beginsAt],
      ...[dispatch.expiresAt, dispatch.importLimitKw, dispatch.exportLimitKw, dispatch.targetKw, dispatch.primacy],
      ...[dispatch.reason, dispatch.randomizeStartSeconds, dispatch.state, dispatch.requestedBy, digest],
      ...[JSON.stringify(decided), dispatch.acceptedAt],
    ],
  );
  await tx.query(
    `insert into dispatch_history (dispatch_id, revision, state, actor, reason, at) values ($1, 1, $2, $3, $4, $5)`,
    [dispatch.dispatchId, dispatch.state, told.actor, told.reason, dispatch.acceptedAt],
  );
}

const supersede = (tx: Queryable, dispatchId: string, { dispatchId: by, actor }: DispatchOrder): Promise<unknown> =>
  tx.query(
    `with changed as (
       update dispatches set state = 'superseded', superseded_by = $2, revision = revision + 1
        where dispatch_id = $1 returning dispatch_id, revision)
     insert into dispatch_history (dispatch_id, revision, state, actor, reason)
     select dispatch_id, revision, 'superseded', $3, 'superseded by ' || $2::text from changed`,
    [dispatchId, by, actor.user],
  );

const audit = (
  tx: Queryable,
  { actor }: DispatchOrder,
  outcome: 'done' | 'validated',
  { dispatch, supersedes, warnings }: Decided,
): Promise<void> =>
  appendAudit(tx, actor, {
    action: 'dispatch.request',
    subject: dispatch.dispatchId,
    outcome,
    detail: { dispatch, supersedes, warnings },
  });
