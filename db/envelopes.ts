import { envelopeFaults, type EnvelopeInterval } from '../domain/envelopes';
import { DermsError } from '../domain/errors';
import type { OperatingEnvelope } from '../domain/fleet';
import { appendAudit, type Actor } from './audit';
import { EXACT_UTC } from './exact-utc';
import { lockRoots } from './feeder-tree';
import { readFeeder } from './feeders';
import type { Database, Queryable } from './pool';

/**
 * Envelopes that hold now or begin before the next plan: a plan is carried out until then, so it has to hold them too.
 */
export async function readEnvelopesInForce(
  tx: Queryable,
  rootFeederId: string,
  intervalSeconds: number,
): Promise<OperatingEnvelope[]> {
  const { rows } = await tx.query<OperatingEnvelope>(
    `select e.envelope_id::text as "envelopeId", e.feeder_id as "feederId", e.source,
            e.import_limit_kw as "importLimitKw", e.export_limit_kw as "exportLimitKw"
       from feeders f join operating_envelopes e using (feeder_id)
      where f.root_id = $1 and e.withdrawn_at is null and e.ends_at > now()
        and e.starts_at < now() + make_interval(secs => $2)
      order by e.envelope_id`,
    [rootFeederId, intervalSeconds],
  );
  return rows;
}

/** An envelope as it was published. */
export interface EnvelopeRecord {
  readonly envelopeId: string;
  readonly feederId: string;
  readonly source: string;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly importLimitKw: number | null;
  readonly exportLimitKw: number | null;
  readonly receivedAt: string;
  readonly receivedBy: string;
  /** Replaced or taken back since then; null while it stands. */
  readonly withdrawnAt: string | null;
  readonly withdrawnBy: string | null;
}

const ENVELOPE_COLUMNS = `envelope_id::text as "envelopeId", feeder_id as "feederId", source,
  to_char(starts_at at time zone 'UTC', '${EXACT_UTC}') as "startsAt",
  to_char(ends_at at time zone 'UTC', '${EXACT_UTC}') as "endsAt",
  import_limit_kw as "importLimitKw", export_limit_kw as "exportLimitKw",
  to_char(received_at at time zone 'UTC', '${EXACT_UTC}') as "receivedAt", received_by as "receivedBy",
  to_char(withdrawn_at at time zone 'UTC', '${EXACT_UTC}') as "withdrawnAt", withdrawn_by as "withdrawnBy"`;

export interface EnvelopePage {
  readonly feederId: string;
  readonly source: string | null;
  /** Envelopes that hold at some moment between the two; null: from now, for ever. */
  readonly from: string | null;
  readonly to: string | null;
  readonly withdrawn: boolean;
  /** The last row of the page before. */
  readonly after: { readonly startsAt: string; readonly envelopeId: string } | null;
  readonly limit: number;
}

/** In the order they begin. */
export async function listEnvelopes(
  db: Queryable,
  { feederId, source, from, to, withdrawn, after, limit }: EnvelopePage,
): Promise<EnvelopeRecord[]> {
  await readFeeder(db, feederId);
  const { rows } = await db.query<EnvelopeRecord>(
    `select ${ENVELOPE_COLUMNS} from operating_envelopes e
      where e.feeder_id = $1 and ($2::text is null or e.source = $2)
        and e.ends_at > coalesce($3::timestamptz, now()) and e.starts_at < coalesce($4::timestamptz, 'infinity')
        and ($5::boolean or e.withdrawn_at is null)
        and ($6::timestamptz is null or (e.starts_at, e.envelope_id) > ($6, $7::bigint))
      order by e.starts_at, e.envelope_id limit $8`,
    [feederId, source, from, to, withdrawn, after?.startsAt ?? null, after?.envelopeId ?? null, limit],
  );
  return rows;
}

export interface EnvelopeOrder {
  readonly feederId: string;
  readonly source: string;
  /** All that the source says from now on; empty takes everything back. */
  readonly intervals: readonly EnvelopeInterval[];
  readonly actor: Actor;
}

export interface EnvelopesSet {
  readonly feederId: string;
  readonly rootFeederId: string;
  readonly source: string;
  readonly added: number;
  readonly withdrawn: number;
  readonly unchanged: number;
}

/**
 * Replaces what one source says of one feeder from now on. What it said already and says again stays as it is, so
 * repeating a publication is harmless; the rest is withdrawn and kept.
 *
 * @throws {DermsError} FEEDER_NOT_FOUND, VALIDATION_FAILED.
 */
export const setEnvelopes = (db: Database, order: EnvelopeOrder): Promise<EnvelopesSet> =>
  db.transaction(async (tx) => {
    const faults = envelopeFaults(order.intervals);
    if (faults.length > 0) {
      const many = faults.length === 1 ? 'one fault' : `${String(faults.length)} faults`;
      throw new DermsError('VALIDATION_FAILED', `The request has ${many}; nothing was done.`, { faults });
    }
    const { feederId, source, intervals, actor } = order;
    const { rootFeederId } = await readFeeder(tx, feederId);
    await lockRoots(tx, [rootFeederId]);
    const params = [
      ...[feederId, source, actor.user],
      intervals.map(({ startsAtMs }) => startsAtMs),
      intervals.map(({ endsAtMs }) => endsAtMs),
      intervals.map(({ importLimitKw }) => importLimitKw),
      intervals.map(({ exportLimitKw }) => exportLimitKw),
    ];
    const withdrawn = await tx.query<EnvelopeTold>(WITHDRAW_WHAT_IS_NOT_SAID_AGAIN, params);
    const added = await tx.query<EnvelopeTold>(ADD_WHAT_IS_NEW, params);
    const counts = { added: added.rowCount ?? 0, withdrawn: withdrawn.rowCount ?? 0 };
    await appendAudit(tx, actor, {
      action: 'envelope.set',
      subject: feederId,
      outcome: 'done',
      detail: {
        ...{ source, intervals: intervals.length, ...counts },
        // A year of five minutes would be megabytes; all of it stays in operating_envelopes.
        ...{ before: withdrawn.rows.slice(0, TOLD_ENVELOPES), after: added.rows.slice(0, TOLD_ENVELOPES) },
      },
    });
    return { feederId, rootFeederId, source, ...counts, unchanged: intervals.length - counts.added };
  });

/** Of each side, in the audit entry. */
const TOLD_ENVELOPES = 50;

/** As an audit entry has it. */
interface EnvelopeTold {
  readonly startsAt: string;
  readonly endsAt: string;
  readonly importLimitKw: number | null;
  readonly exportLimitKw: number | null;
}

const toldOf = (table: string): string => `
  to_char(${table}.starts_at at time zone 'UTC', '${EXACT_UTC}') as "startsAt",
  to_char(${table}.ends_at at time zone 'UTC', '${EXACT_UTC}') as "endsAt",
  ${table}.import_limit_kw as "importLimitKw", ${table}.export_limit_kw as "exportLimitKw"`;

const SAID = `select to_timestamp(starts_ms / 1000.0) as starts_at, to_timestamp(ends_ms / 1000.0) as ends_at, import_kw, export_kw
  from unnest($4::float8[], $5::float8[], $6::float8[], $7::float8[]) as p (starts_ms, ends_ms, import_kw, export_kw)
  where ends_ms > extract(epoch from now()) * 1000`;

const IS_SAID = `e.starts_at = p.starts_at and e.ends_at = p.ends_at
  and e.import_limit_kw is not distinct from p.import_kw and e.export_limit_kw is not distinct from p.export_kw`;

const WITHDRAW_WHAT_IS_NOT_SAID_AGAIN = `
  update operating_envelopes e set withdrawn_at = now(), withdrawn_by = $3::text
   where e.feeder_id = $1::text and e.source = $2::text and e.withdrawn_at is null and e.ends_at > now()
     and not exists (select 1 from (${SAID}) p where ${IS_SAID})
  returning ${toldOf('e')}`;

const ADD_WHAT_IS_NEW = `
  insert into operating_envelopes (feeder_id, source, starts_at, ends_at, import_limit_kw, export_limit_kw, received_by)
  select $1::text, $2::text, p.starts_at, p.ends_at, p.import_kw, p.export_kw, $3::text from (${SAID}) p
   where not exists (select 1 from operating_envelopes e
                      where e.feeder_id = $1::text and e.source = $2::text and e.withdrawn_at is null and ${IS_SAID})
  returning ${toldOf('operating_envelopes')}`;
