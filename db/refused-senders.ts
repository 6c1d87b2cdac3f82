import type { Queryable } from './pool';
import { storable } from './storable-text';
import { textArray } from './telemetry-arrays';

export interface SenderCount {
  /** The end of a topic. */
  readonly sender: string;
  readonly reason: string;
  readonly messages: number;
  readonly perSecond: number;
}

export interface RefusedSender {
  readonly sender: string;
  readonly reason: string;
  readonly messages: number;
  readonly peakPerSecond: number;
  readonly firstHour: string;
  readonly lastAt: string;
}

/** Of one hour. Strangers may make up any number of names. */
const MOST_ROWS = 2_000;
const OTHERS = '(others)';

/** Adds to the counts of this hour; who is new when the hour has all its rows is counted with the others. */
export async function addRefusedSenders(db: Queryable, counts: readonly SenderCount[]): Promise<void> {
  await db.query(
    `with told as (
       select sender, reason, messages, per_second
         from unnest($1::text[], $2::text[], $3::bigint[], $4::real[]) as t(sender, reason, messages, per_second)
     ), hour as (
       select date_trunc('hour', now()) as hour,
              (select count(*) from refused_senders where hour = date_trunc('hour', now())) as used
     ), placed as (
       select told.*, known.sender is not null as is_known,
              row_number() over (partition by known.sender is not null order by told.messages desc) as place
         from told cross join hour
         left join refused_senders known
           on known.hour = hour.hour and known.sender = told.sender and known.reason = told.reason
     )
     insert into refused_senders (hour, sender, reason, messages, peak_per_second)
     select hour.hour,
            case when is_known or hour.used + place <= $5 then sender else $6 end,
            reason, sum(messages), max(per_second)
       from placed cross join hour
      group by 1, 2, 3
     on conflict (hour, sender, reason) do update
       set messages = refused_senders.messages + excluded.messages,
           peak_per_second = greatest(refused_senders.peak_per_second, excluded.peak_per_second),
           last_at = now()`,
    [
      textArray(counts.map(({ sender }) => storable(sender))),
      textArray(counts.map(({ reason }) => reason)),
      counts.map(({ messages }) => messages),
      counts.map(({ perSecond }) => perSecond),
      MOST_ROWS,
      OTHERS,
    ],
  );
}

export interface RefusedSendersPage {
  readonly hours: number;
  readonly reason: string | null;
  /** The last entry of the page before. */
  readonly after: { readonly messages: number; readonly sender: string; readonly reason: string } | null;
  readonly limit: number;
}

/** Who sent most of what was refused in the last hours, the worst first. */
export async function listRefusedSenders(
  db: Queryable,
  { hours, reason, after, limit }: RefusedSendersPage,
): Promise<RefusedSender[]> {
  const { rows } = await db.query<Omit<RefusedSender, 'firstHour' | 'lastAt'> & { firstHour: Date; lastAt: Date }>(
    `select * from (
       select sender, reason, sum(messages)::float8 as messages, max(peak_per_second)::float8 as "peakPerSecond",
              min(hour) as "firstHour", max(last_at) as "lastAt"
         from refused_senders
        where hour > now() - make_interval(hours => $1) and ($2::text is null or reason = $2)
        group by sender, reason
     ) summed
      where $3::float8 is null or messages < $3 or (messages = $3 and (sender, reason) > ($4, $5))
      order by messages desc, sender, reason limit $6`,
    [hours, reason, after?.messages ?? null, after?.sender ?? null, after?.reason ?? null, limit],
  );
  return rows.map((row) => ({
    ...row,
    firstHour: row.firstHour.toISOString(),
    lastAt: row.lastAt.toISOString(),
  }));
}
