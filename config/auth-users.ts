import { z } from 'zod';
import { looksDrawn, parsePasswordHash, verifyPassword, type PasswordHash } from './password-hash';
import { SAMPLE_PASSWORDS } from './sample-values';

/** Each role may do what the ones before it may. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export interface AuthUser {
  readonly user: string;
  readonly role: Role;
  readonly hash: PasswordHash;
  /** The day its password was set, UTC; null where only development lets it be missing. */
  readonly passwordSetOn: string | null;
}

/** What a list is held against. */
export interface AuthUsersRules {
  /** Not the machine of a developer: entries must be dated, and what was copied from an example is refused. */
  readonly strict: boolean;
  readonly now: Date;
}

const DAY_MS = 86_400_000;

const entrySchema = z.strictObject({
  user: z.string().regex(/^[A-Za-z0-9._@-]{1,64}$/, 'is not a user name: 1 to 64 of A-Z a-z 0-9 . _ @ -'),
  role: z.enum(ROLES),
  hash: z.string(),
  passwordSetOn: z.iso.date('is no date such as 2026-05-01').optional(),
});

/**
 * Who may log in, from `AUTH_USERS`.
 *
 * @throws {Error} naming each fault by its place in the list; never a hash.
 */
export function parseAuthUsers(json: string, rules: AuthUsersRules): readonly AuthUser[] {
  const faults: string[] = [];
  const names = new Set<string>();
  const users = readEntries(json).map(({ user, role, hash, passwordSetOn = null }, index) => {
    const fault = (field: string, message: string): unknown => faults.push(`[${String(index)}].${field}: ${message}`);
    const parsed = parsePasswordHash(hash);
    if (parsed === null) fault('hash', 'is no scrypt hash of sufficient cost; make one with npm run auth:hash');
    else if (rules.strict && !looksDrawn(parsed)) fault('hash', 'is an example, not a hash of anything');
    if (names.has(user)) fault('user', 'is given twice');
    if (rules.strict && passwordSetOn === null) fault('passwordSetOn', 'is required and missing');
    // A day more, since somebody is a day ahead of UTC.
    if (ageDays(passwordSetOn, rules.now) < -1) fault('passwordSetOn', 'has not come yet');
    names.add(user);
    return { user, role, hash: parsed, passwordSetOn };
  });
  if (faults.length > 0) throw new Error(`AUTH_USERS: ${faults.join('; ')}`);
  return users.filter((entry): entry is AuthUser => entry.hash !== null);
}

export interface PasswordAges {
  /** null when no entry is dated. */
  readonly oldestDays: number | null;
  /** The day that the oldest password was set; null when no entry is dated. */
  readonly oldestSetOn: string | null;
  /** Users whose password is older than it may be. */
  readonly overdue: readonly string[];
}

export function passwordAges(users: readonly AuthUser[], now: Date, maxAgeDays: number): PasswordAges {
  const [oldestSetOn = null] = users.flatMap(({ passwordSetOn }) => passwordSetOn ?? []).sort();
  return {
    oldestDays: oldestSetOn === null ? null : ageDays(oldestSetOn, now),
    oldestSetOn,
    overdue: users.filter(({ passwordSetOn }) => ageDays(passwordSetOn, now) > maxAgeDays).map(({ user }) => user),
  };
}

const ageDays = (day: string | null, now: Date): number =>
  day === null ? 0 : Math.floor((now.getTime() - Date.parse(day)) / DAY_MS);

/**
 * Users whose password is one that everybody tries first, their own name included. Takes about half a second for each
 * user, away from the event loop.
 */
export async function usersWithSamplePasswords(users: readonly AuthUser[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { user, hash } of users) {
    const tries = [user, ...SAMPLE_PASSWORDS].map((sample) => verifyPassword(sample, hash));
    if ((await Promise.all(tries)).includes(true)) found.push(user);
  }
  return found;
}

function readEntries(json: string): z.infer<typeof entrySchema>[] {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new Error('AUTH_USERS: is not JSON');
  }
  const result = z.array(entrySchema).min(1, 'names nobody').safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path: [index, ...field], message }) =>
    index === undefined ? message : `[${[`${String(index)}]`, ...field.map(String)].join('.')}: ${message}`,
  );
  throw new Error(`AUTH_USERS: ${faults.join('; ')}`);
}
