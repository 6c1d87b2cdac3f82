import type { EmergencyStop, SafeState } from '../domain/fleet';
import { DermsError } from '../domain/errors';
import { appendAudit, type Actor } from './audit';
import type { Database, Queryable } from './pool';

/** For other queries: id of the stop in force, else null. Reads one row at most, by a partial index. */
export const EMERGENCY_STOP_ID = '(select stop_id from emergency_stops where lifted_at is null)';

/** For other queries: the stop in force as the domain sees it, else null. */
export const EMERGENCY_STOP = `(select jsonb_build_object('stopId', stop_id, 'safeState', safe_state)
                                  from emergency_stops where lifted_at is null)`;

/** One time that everything was sent to its safe state. */
export interface EmergencyStopRecord extends EmergencyStop {
  readonly reason: string;
  readonly engagedAt: string;
  readonly engagedBy: string;
  /** `broker`: engaged straight at the broker, and written down here afterwards. */
  readonly learnedFrom: 'api' | 'broker';
  readonly lifted: { readonly at: string; readonly by: string; readonly reason: string } | null;
}

interface Row {
  readonly stop_id: string;
  readonly safe_state: SafeState;
  readonly reason: string;
  readonly engaged_at: Date;
  readonly engaged_by: string;
  readonly learned_from: 'api' | 'broker';
  readonly lifted_at: Date | null;
  readonly lifted_by: string | null;
  readonly lift_reason: string | null;
}

const COLUMNS = 'stop_id, safe_state, reason, engaged_at, engaged_by, learned_from, lifted_at, lifted_by, lift_reason';

/** The one in force; null when there is none. */
export async function readEmergencyStop(db: Queryable): Promise<EmergencyStopRecord | null> {
  const { rows } = await db.query<Row>(`select ${COLUMNS} from emergency_stops where lifted_at is null`);
  return rows[0] === undefined ? null : recordOf(rows[0]);
}

/** Newest first. */
export async function listEmergencyStops(db: Queryable, limit: number): Promise<EmergencyStopRecord[]> {
  const { rows } = await db.query<Row>(`select ${COLUMNS} from emergency_stops order by engaged_at desc limit $1`, [
    limit,
  ]);
  return rows.map(recordOf);
}

export interface EmergencyStopOrder extends EmergencyStop {
  readonly reason: string;
  readonly actor: Actor;
}

/**
 * From the commit on every plan is the safe state. One that is in force with another safe state gives way to this and
 * stays on record; one with the same goes on, and is what is answered.
 */
export const engageEmergencyStop = (
  db: Database,
  { stopId, safeState, reason, actor }: EmergencyStopOrder,
): Promise<EmergencyStopRecord> =>
  db.transaction(async (tx) => {
    await lock(tx);
    const before = await readEmergencyStop(tx);
    const detail = { safeState, reason };
    if (before?.safeState === safeState) {
      await join(tx, { stopId, safeState, reason, engagedAt: null, engagedBy: actor.user, learnedFrom: 'api' }, before);
      await appendAudit(tx, actor, {
        ...{ action: 'emergency-stop.engage', subject: before.stopId, outcome: 'done' },
        detail: { ...detail, inForceSince: before.engagedAt },
      });
      return before;
    }
    if (before !== null) await lift(tx, { by: actor.user, reason: `${safeState} takes its place` });
    const stop = await insert(tx, {
      ...{ stopId, safeState, reason, engagedBy: actor.user },
      ...{ engagedAt: null, learnedFrom: 'api' },
    });
    await appendAudit(tx, actor, { action: 'emergency-stop.engage', subject: stopId, outcome: 'done', detail });
    return stop;
  });

/**
 * Writes down a stop that the broker holds. Harmless to repeat.
 *
 * @returns the stop in force afterwards; null when it was lifted here, so that the broker's copy is out of date.
 */
export const adoptEmergencyStop = (
  db: Database,
  found: Pick<EmergencyStopRecord, 'stopId' | 'safeState' | 'reason' | 'engagedAt' | 'engagedBy'>,
): Promise<EmergencyStop | null> =>
  db.transaction(async (tx) => {
    await lock(tx);
    const known = await tx.query('select 1 from emergency_stops where stop_id = $1', [found.stopId]);
    const inForce = await readEmergencyStop(tx);
    if (known.rows.length > 0) return inForce;
    if (inForce !== null) {
      await join(tx, { ...found, learnedFrom: 'broker' }, inForce);
      return inForce;
    }
    const stop = await insert(tx, { ...found, learnedFrom: 'broker' });
    const actor = { user: found.engagedBy, role: 'command-line', requestId: found.stopId, address: 'broker' };
    await appendAudit(tx, actor, {
      ...{ action: 'emergency-stop.engage', subject: found.stopId, outcome: 'done' },
      detail: { safeState: found.safeState, reason: found.reason, engagedAt: found.engagedAt, learnedFrom: 'broker' },
    });
    return stop;
  });

/**
 * Ends the stop in force, with its audit row.
 *
 * @throws {DermsError} NOT_STOPPED
 */
export const liftEmergencyStop = (
  db: Database,
  { reason, actor }: { readonly reason: string; readonly actor: Actor },
): Promise<EmergencyStopRecord> =>
  db.transaction(async (tx) => {
    await lock(tx);
    const lifted = await lift(tx, { by: actor.user, reason });
    if (lifted === null) throw new DermsError('NOT_STOPPED', 'No emergency stop is in force.');
    await appendAudit(tx, actor, {
      ...{ action: 'emergency-stop.lift', subject: lifted.stopId, outcome: 'done' },
      detail: { reason, safeState: lifted.safeState, engagedAt: lifted.engagedAt, engagedBy: lifted.engagedBy },
    });
    return lifted;
  });

/** One after the other: two people who stop at once, or one that stops while another lifts. */
const lock = (tx: Queryable): Promise<unknown> => tx.query('lock table emergency_stops in share row exclusive mode');

/** `engagedAt` null: now. */
type NewStop = Omit<EmergencyStopRecord, 'lifted' | 'engagedAt'> & { readonly engagedAt: string | null };

/** Somebody stopped what is stopped: on record, so that the broker's copy of it is not taken for a new one later. */
const join = (tx: Queryable, stop: NewStop, inForce: EmergencyStopRecord): Promise<unknown> =>
  tx.query(
    `insert into emergency_stops (stop_id, safe_state, reason, engaged_at, engaged_by, learned_from, lifted_at, lifted_by, lift_reason)
     values ($1, $2, $3, coalesce($4, now()), $5, $6, now(), $5, $7)`,
    [
      ...[stop.stopId, stop.safeState, stop.reason, stop.engagedAt, stop.engagedBy, stop.learnedFrom],
      `joined ${inForce.stopId}, in force since ${inForce.engagedAt}`,
    ],
  );

/** What waited for approval was decided for another moment: it goes with the stop. */
async function insert(tx: Queryable, stop: NewStop): Promise<EmergencyStopRecord> {
  await tx.query('delete from proposals where applied_at is null');
  const { rows } = await tx.query<Row>(
    `insert into emergency_stops (stop_id, safe_state, reason, engaged_at, engaged_by, learned_from)
     values ($1, $2, $3, coalesce($4, now()), $5, $6) returning ${COLUMNS}`,
    [stop.stopId, stop.safeState, stop.reason, stop.engagedAt, stop.engagedBy, stop.learnedFrom],
  );
  const [row] = rows;
  if (row === undefined) throw new DermsError('INTERNAL', 'the emergency stop was not stored');
  return recordOf(row);
}

async function lift(
  tx: Queryable,
  { by, reason }: { readonly by: string; readonly reason: string },
): Promise<EmergencyStopRecord | null> {
  const { rows } = await tx.query<Row>(
    `update emergency_stops set lifted_at = now(), lifted_by = $1, lift_reason = $2
      where lifted_at is null returning ${COLUMNS}`,
    [by, reason],
  );
  return rows[0] === undefined ? null : recordOf(rows[0]);
}

const recordOf = (row: Row): EmergencyStopRecord => ({
  stopId: row.stop_id,
  safeState: row.safe_state,
  reason: row.reason,
  engagedAt: row.engaged_at.toISOString(),
  engagedBy: row.engaged_by,
  learnedFrom: row.learned_from,
  lifted:
    row.lifted_at === null
      ? null
      : { at: row.lifted_at.toISOString(), by: row.lifted_by ?? '', reason: row.lift_reason ?? '' },
});
