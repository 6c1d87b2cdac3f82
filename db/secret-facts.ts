import type { SecretFact, ToldSecretFact } from '../domain/secret-age';
import type { Database, Queryable } from './pool';

/** What a process has not told again for so long is no longer believed: it is gone, or tells under another name. */
const BELIEVED_FOR = "interval '2 days'";

/** What one process knows takes the place of what it told before; a first try that was given up may still be at it. */
export const tellSecretFacts = (db: Database, toldBy: string, facts: readonly SecretFact[]): Promise<void> =>
  db.transaction(async (tx) => {
    await tx.query('delete from secret_facts where told_by = $1', [toldBy]);
    await tx.query(
      `insert into secret_facts (told_by, kind, name, made_on, expires_at, fault)
       select $1, kind, name, made_on::date, to_timestamp(expires_ms / 1000), fault
         from unnest($2::text[], $3::text[], $4::text[], $5::double precision[], $6::text[])
              as told (kind, name, made_on, expires_ms, fault)
       on conflict (told_by, kind, name) do update
          set made_on = excluded.made_on, expires_at = excluded.expires_at, fault = excluded.fault, told_at = now()`,
      [
        toldBy,
        facts.map(({ kind }) => kind),
        facts.map(({ name }) => name),
        facts.map(({ madeOn }) => madeOn),
        facts.map(({ expiresAtMs }) => expiresAtMs),
        facts.map(({ fault }) => fault),
      ],
    );
  });

/** What every process told lately. */
export async function readSecretFacts(db: Queryable): Promise<ToldSecretFact[]> {
  const { rows } = await db.query<ToldSecretFact>(
    `select told_by as "toldBy", kind, name, made_on::text as "madeOn",
            (extract(epoch from expires_at) * 1000)::double precision as "expiresAtMs", fault
       from secret_facts where told_at > now() - ${BELIEVED_FOR} order by kind, name, told_by`,
  );
  return rows;
}

/** Rows of processes that are gone. @returns how many. */
export async function forgetOldSecretFacts(db: Queryable): Promise<number> {
  const { rowCount } = await db.query(`delete from secret_facts where told_at <= now() - ${BELIEVED_FOR}`);
  return rowCount ?? 0;
}
