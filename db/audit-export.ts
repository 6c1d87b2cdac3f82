import type { AuditOutcome } from './audit';
import { EXACT_UTC } from './exact-utc';
import type { Queryable } from './pool';

/** An entry with its place in the chain: what somebody else needs to compute the chain anew. */
export interface ExportedEntry {
  readonly id: string;
  readonly at: string;
  readonly writtenIn: string;
  readonly actor: string;
  readonly role: string | null;
  readonly action: string;
  readonly subject: string;
  readonly outcome: AuditOutcome;
  readonly requestId: string | null;
  readonly address: string | null;
  /** As Postgres writes it. */
  readonly detail: string;
  /** null: not sealed yet. */
  readonly position: string | null;
  readonly hash: string | null;
}

/** From a moment on, before another one; null: from the beginning, up to now. */
export interface ExportSpan {
  readonly from: string | null;
  readonly to: string | null;
}

const PAGE = 1_000;

/** Oldest first. In pages, each a question of its own: nothing is held open however slowly the reader reads. */
export async function* exportAudit(db: Queryable, { from, to }: ExportSpan): AsyncGenerator<ExportedEntry> {
  let afterId = '0';
  const upTo = await newestId(db);
  for (;;) {
    const { rows } = await db.query<ExportedEntry>(
      `select a.id::text as id, to_char(a.at at time zone 'UTC', '${EXACT_UTC}') as at, a.written_in::text as "writtenIn",
              a.actor, a.role, a.action, a.subject, a.outcome, a.request_id as "requestId", a.address,
              a.detail::text as detail, c.position::text as position, encode(c.hash, 'hex') as hash
         from audit_log a left join audit_chain c on c.entry_id = a.id
        where a.id > $1 and a.id <= $2
          and ($3::timestamptz is null or a.at >= $3) and ($4::timestamptz is null or a.at < $4)
        order by a.id limit $5`,
      [afterId, upTo, from, to, PAGE],
    );
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    afterId = last.id;
  }
}

/** What is written while the export goes on is not part of it. */
async function newestId(db: Queryable): Promise<string> {
  const { rows } = await db.query<{ id: string }>('select coalesce(max(id), 0)::text as id from audit_log');
  return rows[0]?.id ?? '0';
}
