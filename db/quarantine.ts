import { DermsError } from '../domain/errors';
import { appendAudit, type Actor } from './audit';
import type { Database, Queryable } from './pool';

/** For other queries: the reason of the quarantine in force, else null. Reads one row at most, by a partial index. */
export const QUARANTINE_REASON = '(select reason from quarantine where lifted_at is null)';

/** One time that the database stood, or stands, quarantined. */
export interface Quarantine {
  readonly since: string;
  readonly imposedBy: string;
  readonly reason: string;
  /** Id of the backup that the data comes from; null when it was not restored. */
  readonly restoredFrom: string | null;
  /** The moment that the restored data shows. */
  readonly dataAsOf: string | null;
  readonly lifted: {
    readonly at: string;
    readonly by: string;
    readonly reason: string;
    /** Nobody had compared with Temporal and the broker before. */
    readonly forced: boolean;
  } | null;
}

/** The last comparison with Temporal and the broker. */
export interface Reconciliation {
  readonly at: string;
  readonly by: string;
  readonly applied: boolean;
  /** Findings that it could have settled and has not. */
  readonly open: number;
  readonly report: unknown;
}

interface Row {
  readonly since: Date;
  readonly imposed_by: string;
  readonly reason: string;
  readonly restored_from: string | null;
  readonly data_as_of: Date | null;
  readonly lifted_at: Date | null;
  readonly lifted_by: string | null;
  readonly lift_reason: string | null;
  readonly lift_forced: boolean | null;
}

const COLUMNS = 'since, imposed_by, reason, restored_from, data_as_of, lifted_at, lifted_by, lift_reason, lift_forced';

/** The one in force; null when there is none. */
export async function readQuarantine(db: Queryable): Promise<Quarantine | null> {
  const { rows } = await db.query<Row>(`select ${COLUMNS} from quarantine where lifted_at is null`);
  return rows[0] === undefined ? null : quarantineOf(rows[0]);
}

/** Why the database is quarantined; null when it is not. */
export const quarantineReason = async (db: Queryable): Promise<string | null> => {
  const inForce = await readQuarantine(db);
  return inForce === null ? null : `the database is quarantined: ${inForce.reason}`;
};

/** Newest first. */
export async function listQuarantines(db: Queryable, limit: number): Promise<Quarantine[]> {
  const { rows } = await db.query<Row>(`select ${COLUMNS} from quarantine order by id desc limit $1`, [limit]);
  return rows.map(quarantineOf);
}

const quarantineOf = (row: Row): Quarantine => ({
  since: row.since.toISOString(),
  imposedBy: row.imposed_by,
  reason: row.reason,
  restoredFrom: row.restored_from,
  dataAsOf: row.data_as_of?.toISOString() ?? null,
  lifted:
    row.lifted_at === null
      ? null
      : {
          at: row.lifted_at.toISOString(),
          by: row.lifted_by ?? '',
          reason: row.lift_reason ?? '',
          forced: row.lift_forced ?? false,
        },
});

/** From the commit on nothing is planned or published. One that is in force gives way to this, and stays on record. */
export async function imposeQuarantine(
  tx: Queryable,
  { by, reason, restoredFrom, dataAsOf }: { by: string; reason: string; restoredFrom: string; dataAsOf: string },
): Promise<void> {
  await tx.query(
    `update quarantine set lifted_at = now(), lifted_by = $1, lift_reason = 'another took its place', lift_forced = false
      where lifted_at is null`,
    [by],
  );
  await tx.query('insert into quarantine (imposed_by, reason, restored_from, data_as_of) values ($1, $2, $3, $4)', [
    by,
    reason,
    restoredFrom,
    dataAsOf,
  ]);
}

/**
 * Ends the quarantine, with its audit row.
 *
 * @throws {DermsError} NOT_QUARANTINED; RECONCILIATION_MISSING while nothing has compared the data with Temporal and the
 *   broker since, or the last comparison left something open, unless `force`.
 */
export const liftQuarantine = (
  db: Database,
  { reason, force, actor }: { readonly reason: string; readonly force: boolean; readonly actor: Actor },
): Promise<Quarantine> =>
  db.transaction(async (tx) => {
    await tx.query('select 1 from quarantine where lifted_at is null for update');
    const inForce = await readQuarantine(tx);
    if (inForce === null) throw new DermsError('NOT_QUARANTINED', 'The database is not quarantined.');
    const missing = await missingReconciliation(tx, inForce);
    if (missing !== null && !force) throw new DermsError('RECONCILIATION_MISSING', missing);
    const { rows } = await tx.query<Row>(
      `update quarantine set lifted_at = now(), lifted_by = $1, lift_reason = $2, lift_forced = $3
        where lifted_at is null returning ${COLUMNS}`,
      [actor.user, reason, missing !== null],
    );
    const [row] = rows;
    if (row === undefined) throw new DermsError('NOT_QUARANTINED', 'The database is not quarantined.');
    await appendAudit(tx, actor, {
      action: 'quarantine.lift',
      subject: inForce.restoredFrom ?? '-',
      outcome: 'done',
      detail: { reason, forced: missing !== null, quarantinedSince: inForce.since, quarantinedFor: inForce.reason },
    });
    return quarantineOf(row);
  });

async function missingReconciliation(tx: Queryable, { since }: Quarantine): Promise<string | null> {
  const last = await readReconciliation(tx);
  if (last === null || last.at < since)
    return 'Nothing has compared the restored data with Temporal and the broker yet: npm run reconcile.';
  if (last.open > 0) return `The comparison of ${last.at} left ${String(last.open)} findings open.`;
  return null;
}

/** The last one; null when there was none. */
export async function readReconciliation(db: Queryable): Promise<Reconciliation | null> {
  const { rows } = await db.query<{ at: Date; actor: string; applied: boolean; open: number; report: unknown }>(
    'select at, actor, applied, open, report from reconciliations order by at desc limit 1',
  );
  const [row] = rows;
  if (row === undefined) return null;
  const { at, actor: by, applied, open, report } = row;
  return { at: at.toISOString(), by, applied, open, report };
}

export async function storeReconciliation(
  tx: Queryable,
  { by, applied, open, report }: Omit<Reconciliation, 'at'>,
): Promise<void> {
  await tx.query('insert into reconciliations (actor, applied, open, report) values ($1, $2, $3, $4)', [
    by,
    applied,
    open,
    JSON.stringify(report),
  ]);
}
