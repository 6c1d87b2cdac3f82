import type { Queryable } from './pool';
import { storableJson } from './storable-json';
import { withoutSecrets } from './without-secrets';

/** Who does something, and by which request: what every write of ours is stored with. */
export interface Actor {
  readonly user: string;
  readonly role: string;
  readonly requestId: string;
  readonly address: string;
}

/** `intended`: it was about to be done outside of Postgres; `done` or `refused` follows. `validated`: it was looked at only. */
export const AUDIT_OUTCOMES = ['intended', 'done', 'refused', 'validated'] as const;
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

export interface AuditEntry {
  /** Verb and thing: `dispatch.request`, `feeder.change`. */
  readonly action: string;
  /** What it was done to: an id. */
  readonly subject: string;
  readonly outcome: AuditOutcome;
  /** Before and after, or why not. Never a secret. */
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface AuditRow extends AuditEntry {
  readonly id: number;
  readonly at: string;
  readonly actor: string;
  readonly role: string | null;
  readonly requestId: string | null;
  readonly address: string | null;
}

/** In the transaction of what it tells about, so that neither is there without the other. */
export async function appendAudit(
  tx: Queryable,
  actor: Actor,
  { action, subject, outcome, detail }: AuditEntry,
): Promise<void> {
  await tx.query(
    `insert into audit_log (actor, role, action, subject, outcome, request_id, address, detail)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      actor.user,
      actor.role,
      action,
      storable(subject),
      outcome,
      actor.requestId,
      actor.address,
      storableJson(withoutSecrets(detail)),
    ],
  );
}

/** Refused attempts quote what was sent, and Postgres takes neither NUL nor half a character. */
const storable = (text: string): string => text.replaceAll(/[\0\p{Cs}]/gu, '\ufffd');

export interface AuditFilter {
  readonly actor: string | null;
  readonly action: string | null;
  readonly subject: string | null;
  readonly outcome?: AuditOutcome | null;
  /** From this moment on, and before that one. */
  readonly from?: string | null;
  readonly to?: string | null;
  /** Rows with a smaller id only. */
  readonly beforeId: number | null;
  readonly limit: number;
}

/** Newest first. */
export async function listAudit(db: Queryable, filter: AuditFilter): Promise<AuditRow[]> {
  const { rows } = await db.query<{
    id: string;
    at: Date;
    actor: string;
    role: string | null;
    action: string;
    subject: string;
    outcome: AuditOutcome;
    request_id: string | null;
    address: string | null;
    detail: Record<string, unknown>;
  }>(
    `select id, at, actor, role, action, subject, outcome, request_id, address, detail
       from audit_log
      where ($1::text is null or actor = $1)
        and ($2::text is null or action = $2)
        and ($3::text is null or subject = $3)
        and ($4::bigint is null or id < $4)
        and ($6::text is null or outcome = $6)
        and ($7::timestamptz is null or at >= $7) and ($8::timestamptz is null or at < $8)
      order by id desc limit $5`,
    [
      ...[filter.actor, filter.action, filter.subject, filter.beforeId, filter.limit],
      ...[filter.outcome ?? null, filter.from ?? null, filter.to ?? null],
    ],
  );
  return rows.map(({ id, at, request_id: requestId, ...row }) => ({
    ...row,
    id: Number(id),
    at: at.toISOString(),
    requestId,
  }));
}
