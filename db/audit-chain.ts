import { EXACT_UTC } from './exact-utc';
import type { Database, Queryable } from './pool';

/** A row of the audit log, each column as text: what is hashed must not depend on how a client reads a type. */
export interface ChainedColumns {
  readonly id: string;
  readonly at: string;
  readonly writtenIn: string;
  readonly actor: string;
  readonly role: string | null;
  readonly action: string;
  readonly subject: string;
  readonly outcome: string;
  readonly requestId: string | null;
  readonly address: string | null;
  readonly detail: string;
}

export interface ChainEnd {
  /** 0: nothing is sealed yet. */
  readonly position: number;
  readonly hash: Buffer;
}

export interface ChainLink extends ChainEnd {
  readonly entryId: string;
}

const COLUMNS = `a.id::text as id, to_char(a.at at time zone 'UTC', '${EXACT_UTC}') as at, a.written_in::text as "writtenIn",
  a.actor, a.role, a.action, a.subject, a.outcome, a.request_id as "requestId", a.address, a.detail::text as detail`;

/** Any fixed number: who holds it is the one process that adds to the chain. */
const LOCK_KEY = 7_203_442;

/**
 * A sealer that hangs in mid-transaction (suspended, cut off without a goodbye) is hung up on after this, and another takes
 * its place; one that was killed is noticed at once. By the transaction alone, so that it holds behind a pooler.
 */
const GIVEN_UP_AFTER = '2s';

/** What the first link is chained to. */
const BEGINNING: ChainEnd = { position: 0, hash: Buffer.alloc(32) };

/**
 * Chains committed rows, at most `limit`. `link` makes the links, one per row, in order.
 *
 * @returns how many; null when another process is at it.
 */
export const sealEntries = (
  db: Database,
  { limit, link }: { limit: number; link: (end: ChainEnd, rows: readonly ChainedColumns[]) => readonly ChainLink[] },
): Promise<number | null> =>
  db.transaction(async (tx) => {
    await giveUpWhenHung(tx);
    if (!(await isMine(tx))) return null;
    // Before the rows are read: whatever was over at this moment can be seen then.
    const { numberedIn, settledBefore, oldestOpen } = await readSealing(tx);
    const rows = await unsealedEntries(tx, settledBefore, limit);
    if (rows.length > 0) await insertLinks(tx, link(await readChainEnd(tx), rows));
    // With more to come the place stays where it is: the rows that are sealed by now are left out by their links.
    if (rows.length < limit && oldestOpen !== settledBefore) {
      await tx.query('update audit_sealing set numbered_in = $1, settled_before = $2', [numberedIn, oldestOpen]);
    }
    return rows.length;
  });

const giveUpWhenHung = (tx: Queryable): Promise<unknown> =>
  tx.query(`set local idle_in_transaction_session_timeout = '${GIVEN_UP_AFTER}'`);

const isMine = async (tx: Queryable): Promise<boolean> => {
  const { rows } = await tx.query<{ mine: boolean }>(`select pg_try_advisory_xact_lock(${String(LOCK_KEY)}) as mine`);
  return rows[0]?.mine === true;
};

interface Sealing {
  readonly numberedIn: string;
  /** null: not known here. */
  readonly settledBefore: string | null;
  /** Every transaction before this one is over. */
  readonly oldestOpen: string;
}

const READ_SEALING = `
  with present as (
    select system_identifier || '/' || (select oid from pg_database where datname = current_database()) as numbered_in
      from pg_control_system())
  select present.numbered_in as "numberedIn",
         case when sealing.numbered_in = present.numbered_in then settled_before end::text as "settledBefore",
         pg_snapshot_xmin(pg_current_snapshot())::text as "oldestOpen"
    from present, audit_sealing sealing`;

async function readSealing(tx: Queryable): Promise<Sealing> {
  const { rows } = await tx.query<Sealing>(READ_SEALING);
  const [sealing] = rows;
  if (sealing === undefined) throw new Error('audit_sealing has lost its row');
  return sealing;
}

/** Rows that are of no open transaction lie before `settledBefore`; without it all of them are looked at. */
const UNSEALED = `($1::xid8 is null or (a.written_in >= $1 and a.written_in < pg_snapshot_xmax(pg_current_snapshot())))
  and not exists (select from audit_chain c where c.entry_id = a.id)`;

/** Nearly in the order of their commits. */
async function unsealedEntries(tx: Queryable, settledBefore: string | null, limit: number): Promise<ChainedColumns[]> {
  // After a restore the numbers are those of another cluster, and may stand above those of the newest rows.
  const order = settledBefore === null ? 'a.id' : 'a.written_in, a.id';
  const { rows } = await tx.query<ChainedColumns>(
    `select ${COLUMNS} from audit_log a where ${UNSEALED} order by ${order} limit $2`,
    [settledBefore, limit],
  );
  return rows;
}

export async function readChainEnd(db: Queryable): Promise<ChainEnd> {
  const { rows } = await db.query<{ position: string; hash: Buffer }>(
    'select position, hash from audit_chain order by position desc limit 1',
  );
  return rows[0] === undefined ? BEGINNING : { position: Number(rows[0].position), hash: rows[0].hash };
}

const insertLinks = (tx: Queryable, links: readonly ChainLink[]): Promise<unknown> =>
  tx.query(
    `insert into audit_chain (position, entry_id, hash) select * from unnest($1::bigint[], $2::bigint[], $3::bytea[])`,
    [links.map(({ position }) => position), links.map(({ entryId }) => entryId), links.map(({ hash }) => hash)],
  );

/** What the chain ended with at a moment, and the proof that a holder of the key says so. */
export interface HeadRow extends ChainEnd {
  readonly signedAt: string;
  readonly keyId: string;
  readonly signature: string;
}

/**
 * Signs what the chain ends with, unless that was done less than `everyMs` ago. One process at a time: waits for the
 * sealer, at most the role's `lock_timeout`.
 *
 * @returns the newest head; null while nothing is sealed.
 */
export const signChainEnd = (
  db: Database,
  everyMs: number,
  sign: (end: ChainEnd, signedAt: string) => { readonly keyId: string; readonly signature: string },
): Promise<HeadRow | null> =>
  db.transaction(async (tx) => {
    await giveUpWhenHung(tx);
    await tx.query(`select pg_advisory_xact_lock(${String(LOCK_KEY)})`);
    const newest = await readNewestHead(tx, everyMs);
    if (newest !== null) return newest;
    const end = await readChainEnd(tx);
    if (end.position === 0) return null;
    const signedAt = await readNow(tx);
    const head: HeadRow = { ...end, signedAt, ...sign(end, signedAt) };
    await tx.query(
      'insert into audit_heads (signed_at, position, hash, key_id, signature) values ($1, $2, $3, $4, $5)',
      [head.signedAt, head.position, head.hash, head.keyId, head.signature],
    );
    return head;
  });

const readNow = async (db: Queryable): Promise<string> => {
  const { rows } = await db.query<{ now: string }>(
    `select to_char(clock_timestamp() at time zone 'UTC', '${EXACT_UTC}') as now`,
  );
  return rows[0]?.now ?? '';
};

const HEAD_COLUMNS = `to_char(signed_at at time zone 'UTC', '${EXACT_UTC}') as "signedAt", position::float8 as position, hash,
  key_id as "keyId", signature`;

async function readNewestHead(db: Queryable, withinMs: number): Promise<HeadRow | null> {
  const { rows } = await db.query<HeadRow>(
    `select ${HEAD_COLUMNS} from audit_heads where signed_at > now() - make_interval(secs => $1) order by signed_at desc limit 1`,
    [withinMs / 1_000],
  );
  return rows[0] ?? null;
}

/** All of them, in the order they were signed: 24 a day. */
export async function listHeads(db: Queryable): Promise<HeadRow[]> {
  const { rows } = await db.query<HeadRow>(`select ${HEAD_COLUMNS} from audit_heads order by signed_at`);
  return rows;
}

/** A link and the row that it is of; null columns: there is no such row. */
export interface LinkedEntry extends ChainLink {
  readonly entry: ChainedColumns | null;
}

/** Links after a position, in order. */
export async function listLinks(db: Queryable, afterPosition: number, limit: number): Promise<LinkedEntry[]> {
  const { rows } = await db.query<ChainedColumns & { position: number; entryId: string; hash: Buffer; found: boolean }>(
    `select c.position::float8 as position, c.entry_id::text as "entryId", c.hash, a.id is not null as found, ${COLUMNS}
       from audit_chain c left join audit_log a on a.id = c.entry_id
      where c.position > $1 order by c.position limit $2`,
    [afterPosition, limit],
  );
  return rows.map(({ position, entryId, hash, found, ...entry }) => ({
    ...{ position, entryId, hash },
    entry: found ? entry : null,
  }));
}

export interface UnsealedEntry {
  readonly id: string;
  readonly at: string;
  readonly action: string;
  readonly subject: string;
  readonly ageSeconds: number;
}

/** Every row without a link, by id, at most `limit`: looks at the whole log. */
export async function listUnsealed(db: Queryable, limit: number): Promise<UnsealedEntry[]> {
  const { rows } = await db.query<UnsealedEntry>(
    `select a.id::text as id, to_char(a.at at time zone 'UTC', '${EXACT_UTC}') as at, a.action, a.subject,
            extract(epoch from clock_timestamp() - a.at)::float8 as "ageSeconds"
       from audit_log a where not exists (select from audit_chain c where c.entry_id = a.id) order by a.id limit $1`,
    [limit],
  );
  return rows;
}

export interface AuditFigures {
  readonly unsealedEntries: number;
  /** Age of the oldest row that is not sealed; 0 while there is none. */
  readonly sealedLagSeconds: number;
  /** 0 while no head is signed. */
  readonly lastHeadSeconds: number;
}

/** How far the sealer is behind; looks only at what it would look at itself. */
export async function readAuditFigures(db: Queryable): Promise<AuditFigures> {
  const { rows } = await db.query<AuditFigures>(
    `with sealing as (${READ_SEALING})
     select count(a.id)::float8 as "unsealedEntries",
            greatest(coalesce(extract(epoch from now() - min(a.at)), 0), 0)::float8 as "sealedLagSeconds",
            (select coalesce(extract(epoch from max(signed_at)), 0)::float8 from audit_heads) as "lastHeadSeconds"
       from sealing left join audit_log a
         on (sealing."settledBefore" is null or (a.written_in >= sealing."settledBefore"::xid8
                                                 and a.written_in < pg_snapshot_xmax(pg_current_snapshot())))
        and not exists (select from audit_chain c where c.entry_id = a.id)`,
  );
  return rows[0] ?? { unsealedEntries: 0, sealedLagSeconds: 0, lastHeadSeconds: 0 };
}
