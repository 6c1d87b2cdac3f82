import { DermsError } from '../domain/errors';
import { appendAudit, type Actor } from './audit';
import type { Database, Queryable } from './pool';

/** A token of a machine, without the token. */
export interface MachineToken {
  readonly tokenId: string;
  readonly name: string;
  /** The environment that it counts in. */
  readonly issuer: string;
  readonly scopes: readonly string[];
  readonly purpose: string;
  readonly issuedAt: string;
  readonly issuedBy: string;
  readonly expiresAt: string;
  /** To the minute or so. */
  readonly lastUsedAt: string | null;
  readonly lastUsedAddress: string | null;
  readonly revoked: { readonly at: string; readonly by: string; readonly reason: string } | null;
}

export interface MachineTokenOrder {
  readonly tokenId: string;
  readonly tokenHash: Buffer;
  readonly name: string;
  readonly issuer: string;
  readonly scopes: readonly string[];
  readonly purpose: string;
  readonly validDays: number;
  readonly actor: Actor;
}

interface Row {
  readonly token_id: string;
  readonly name: string;
  readonly issuer: string;
  readonly scopes: string[];
  readonly purpose: string;
  readonly issued_at: Date;
  readonly issued_by: string;
  readonly expires_at: Date;
  readonly last_used_at: Date | null;
  readonly last_used_address: string | null;
  readonly revoked_at: Date | null;
  readonly revoked_by: string | null;
  readonly revoke_reason: string | null;
}

const COLUMNS = `token_id, name, issuer, scopes, purpose, issued_at, issued_by, expires_at, last_used_at,
                 last_used_address, revoked_at, revoked_by, revoke_reason`;

/** With its audit row. */
export const issueMachineToken = (db: Database, order: MachineTokenOrder): Promise<MachineToken> =>
  db.transaction(async (tx) => {
    const { tokenId, tokenHash, name, issuer, scopes, purpose, validDays, actor } = order;
    const { rows } = await tx.query<Row>(
      `insert into machine_tokens (token_id, token_hash, name, issuer, scopes, purpose, issued_by, expires_at)
       values ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(days => $8)) returning ${COLUMNS}`,
      [tokenId, tokenHash, name, issuer, scopes, purpose, actor.user, validDays],
    );
    const token = one(rows);
    const detail = { name, scopes, purpose, expiresAt: token.expiresAt };
    await appendAudit(tx, actor, { action: 'machine-token.issue', subject: tokenId, outcome: 'done', detail });
    return token;
  });

/**
 * With its audit row. One that is revoked already stays as it was revoked.
 *
 * @throws {DermsError} MACHINE_TOKEN_NOT_FOUND
 */
export const revokeMachineToken = (
  db: Database,
  { tokenId, reason, actor }: { readonly tokenId: string; readonly reason: string; readonly actor: Actor },
): Promise<MachineToken> =>
  db.transaction(async (tx) => {
    const { rows: before } = await tx.query<Row>(
      `select ${COLUMNS} from machine_tokens where token_id = $1 for update`,
      [tokenId],
    );
    const [found] = before;
    if (found === undefined) throw new DermsError('MACHINE_TOKEN_NOT_FOUND', `There is no machine token ${tokenId}.`);
    if (found.revoked_at !== null) return tokenOf(found);
    const { rows } = await tx.query<Row>(
      `update machine_tokens set revoked_at = now(), revoked_by = $2, revoke_reason = $3
        where token_id = $1 returning ${COLUMNS}`,
      [tokenId, actor.user, reason],
    );
    const detail = { name: found.name, scopes: found.scopes, reason };
    await appendAudit(tx, actor, { action: 'machine-token.revoke', subject: tokenId, outcome: 'done', detail });
    return one(rows);
  });

/** Newest first, revoked and expired ones too. */
export async function listMachineTokens(
  db: Queryable,
  { beforeId, limit }: { readonly beforeId: string | null; readonly limit: number },
): Promise<MachineToken[]> {
  const { rows } = await db.query<Row>(
    `select ${COLUMNS} from machine_tokens where $1::uuid is null or token_id < $1 order by token_id desc limit $2`,
    [beforeId, limit],
  );
  return rows.map(tokenOf);
}

/** Of this environment, by the hash of the token, hex. */
export async function readMachineTokensInForce(db: Queryable, issuer: string): Promise<Map<string, MachineToken>> {
  const { rows } = await db.query<Row & { readonly hash: string }>(
    `select ${COLUMNS}, encode(token_hash, 'hex') as hash from machine_tokens
      where revoked_at is null and expires_at > now() and issuer = $1`,
    [issuer],
  );
  return new Map(rows.map((row) => [row.hash, tokenOf(row)]));
}

export interface MachineTokenUse {
  readonly tokenId: string;
  readonly atMs: number;
  readonly address: string;
}

/** Later uses win, whichever process tells first. */
export async function noteMachineTokenUses(db: Queryable, uses: readonly MachineTokenUse[]): Promise<void> {
  await db.query(
    `update machine_tokens t set last_used_at = u.at, last_used_address = u.address
       from (select unnest($1::uuid[]) as token_id, unnest($2::timestamptz[]) as at, unnest($3::text[]) as address) u
      where t.token_id = u.token_id and (t.last_used_at is null or t.last_used_at < u.at)`,
    [
      uses.map(({ tokenId }) => tokenId),
      uses.map(({ atMs }) => new Date(atMs).toISOString()),
      uses.map(({ address }) => address),
    ],
  );
}

function one(rows: readonly Row[]): MachineToken {
  const [row] = rows;
  if (row === undefined) throw new Error('a statement that returned nothing');
  return tokenOf(row);
}

const tokenOf = (row: Row): MachineToken => ({
  tokenId: row.token_id,
  name: row.name,
  issuer: row.issuer,
  scopes: row.scopes,
  purpose: row.purpose,
  issuedAt: row.issued_at.toISOString(),
  issuedBy: row.issued_by,
  expiresAt: row.expires_at.toISOString(),
  lastUsedAt: row.last_used_at?.toISOString() ?? null,
  lastUsedAddress: row.last_used_address,
  revoked:
    row.revoked_at === null
      ? null
      : { at: row.revoked_at.toISOString(), by: row.revoked_by ?? '', reason: row.revoke_reason ?? '' },
});
