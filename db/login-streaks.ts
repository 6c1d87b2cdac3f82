import { createHash } from 'node:crypto';
import type { Queryable } from './pool';

/** What comes of failures in a row; the API's rules, given so that there is one place for them. */
export interface StreakRules {
  /** Failures of a user from an address that cost nothing; the next blocks that pair for a second, each further doubles it. */
  readonly freeFailures: number;
  readonly longestBlockSeconds: number;
  /** Who has not failed for so long begins anew. */
  readonly forgivenAfterSeconds: number;
}

export interface Attempt {
  /** It is not looked at before this, s, and was not counted; 0: it was. */
  readonly blockedSeconds: number;
  /** Attempts under this name from anywhere that have not succeeded, this one included; 0 when it was not counted. */
  readonly userFailures: number;
}

/**
 * Counts an attempt as failed before it is looked at, so that a hundred at once are a hundred and not one; success takes
 * it back. A blocked pair of user and address counts nothing. One statement, by the database's clock.
 */
export async function countAttempt(
  db: Queryable,
  { user, address }: LoginSubject,
  { freeFailures, longestBlockSeconds, forgivenAfterSeconds }: StreakRules,
): Promise<Attempt> {
  const { rows } = await db.query<{ user_failures: number | null; blocked_seconds: number | null }>(
    `with pair as (
       insert into login_streaks as s (subject, failures) values ($1, 1)
       on conflict (subject) do update set
         failures = ${NEXT}, last_at = now(),
         blocked_until = now() + make_interval(secs => case when ${NEXT} < $3 then 0
                                                            else least($4, 2 ^ least(${NEXT} - $3, 30)) end)
       where s.blocked_until <= now()
       returning failures),
     named as (
       insert into login_streaks as s (subject, failures) select $2::bytea, 1 from pair
       on conflict (subject) do update set failures = ${NEXT}, last_at = now()
       returning failures)
     select (select failures from named) as user_failures,
            (select extract(epoch from blocked_until - now())::float8
               from login_streaks where subject = $1) as blocked_seconds`,
    [pairKey(user, address), userKey(user), freeFailures, longestBlockSeconds, forgivenAfterSeconds],
  );
  const counted = rows[0]?.user_failures ?? null;
  if (counted !== null) return { blockedSeconds: 0, userFailures: counted };
  return { blockedSeconds: Math.max(1, Math.ceil(rows[0]?.blocked_seconds ?? 1)), userFailures: 0 };
}

/** The next number of the row `s`. */
const NEXT = `(case when s.last_at < now() - make_interval(secs => $5) then 1 else s.failures + 1 end)`;

export interface LoginSubject {
  readonly user: string;
  /** Or a range of addresses that one party has. */
  readonly address: string;
}

/** The pair begins anew; of those under the name from elsewhere only this one is taken back. */
export async function forgetAttempts(db: Queryable, { user, address }: LoginSubject): Promise<void> {
  await db.query(
    `with pair as (delete from login_streaks where subject = $1)
     update login_streaks set failures = greatest(failures - 1, 0) where subject = $2`,
    [pairKey(user, address), userKey(user)],
  );
}

/** Streaks that are forgiven anyway. */
export async function removeOldStreaks(db: Queryable, forgivenAfterSeconds: number): Promise<void> {
  await db.query('delete from login_streaks where last_at < now() - make_interval(secs => $1)', [forgivenAfterSeconds]);
}

const userKey = (user: string): Buffer => hashOf(`user\n${user}`);
const pairKey = (user: string, address: string): Buffer => hashOf(`pair\n${address}\n${user}`);
const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest();
