import { appendAudit, type Actor } from './audit';
import type { Database, Queryable } from './pool';

/** Access tokens of people that were issued before the moment count no more. */
export interface Revocation {
  readonly id: number;
  readonly at: string;
  readonly by: string;
  readonly reason: string;
  /** null: everybody's. */
  readonly user: string | null;
  readonly issuedBefore: string;
}

export interface RevocationOrder {
  readonly reason: string;
  readonly user: string | null;
  /** null: now, by the database's clock. */
  readonly issuedBefore: string | null;
  /** Tokens of machines too, those issued before the same moment. */
  readonly machines: boolean;
  readonly actor: Actor;
}

export interface Revoked {
  readonly revocation: Revocation;
  readonly machineTokens: number;
}

interface Row {
  readonly id: string;
  readonly revoked_at: Date;
  readonly revoked_by: string;
  readonly reason: string;
  readonly username: string | null;
  readonly issued_before: Date;
}

const COLUMNS = 'id, revoked_at, revoked_by, reason, username, issued_before';

/** With its audit row. From the commit on every process that reads the list refuses them. */
export const revokeTokens = (
  db: Database,
  { reason, user, issuedBefore, machines, actor }: RevocationOrder,
): Promise<Revoked> =>
  db.transaction(async (tx) => {
    const { rows } = await tx.query<Row>(
      `insert into token_revocations (revoked_by, reason, username, issued_before)
       values ($1, $2, $3, coalesce($4, clock_timestamp())) returning ${COLUMNS}`,
      [actor.user, reason, user, issuedBefore],
    );
    const [row] = rows;
    if (row === undefined) throw new Error('an insert that returned nothing');
    const { rowCount } = await tx.query(
      `update machine_tokens set revoked_at = now(), revoked_by = $1, revoke_reason = $2
        where $3 and revoked_at is null and expires_at > now() and issued_at < $4`,
      [actor.user, reason, machines, row.issued_before],
    );
    const revoked = { revocation: revocationOf(row), machineTokens: rowCount ?? 0 };
    await appendAudit(tx, actor, {
      action: 'token.revoke-all',
      subject: user ?? 'everybody',
      outcome: 'done',
      detail: { reason, issuedBefore: revoked.revocation.issuedBefore, machineTokens: revoked.machineTokens },
    });
    return revoked;
  });

/** Newest first. */
export async function listRevocations(
  db: Queryable,
  { beforeId, limit }: { readonly beforeId: number | null; readonly limit: number },
): Promise<Revocation[]> {
  const { rows } = await db.query<Row>(
    `select ${COLUMNS} from token_revocations where $1::bigint is null or id < $1 order by id desc limit $2`,
    [beforeId, limit],
  );
  return rows.map(revocationOf);
}

/** What can still matter to a token: for each user, and for everybody, the latest moment within the longest life. */
export async function readRevokedMoments(
  db: Queryable,
  longestLifeSeconds: number,
): Promise<readonly { readonly user: string | null; readonly issuedBeforeMs: number }[]> {
  const { rows } = await db.query<{ username: string | null; issued_before: Date }>(
    `select username, max(issued_before) as issued_before from token_revocations
      where issued_before > now() - make_interval(secs => $1) group by username order by username`,
    [longestLifeSeconds],
  );
  return rows.map(({ username, issued_before: moment }) => ({ user: username, issuedBeforeMs: moment.getTime() }));
}

const revocationOf = (row: Row): Revocation => ({
  id: Number(row.id),
  at: row.revoked_at.toISOString(),
  by: row.revoked_by,
  reason: row.reason,
  user: row.username,
  issuedBefore: row.issued_before.toISOString(),
});
