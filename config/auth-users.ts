import { z } from 'zod';
import { parsePasswordHash, type PasswordHash } from './password-hash';

/** Each role may do what the ones before it may. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export interface AuthUser {
  readonly user: string;
  readonly role: Role;
  readonly hash: PasswordHash;
}

const entrySchema = z.strictObject({
  user: z.string().regex(/^[A-Za-z0-9._@-]{1,64}$/, 'is not a user name: 1 to 64 of A-Z a-z 0-9 . _ @ -'),
  role: z.enum(ROLES),
  hash: z.string(),
});

/**
 * Who may log in, from `AUTH_USERS`.
 *
 * @throws {Error} naming each fault by its place in the list; never a hash.
 */
export function parseAuthUsers(json: string): readonly AuthUser[] {
  const entries = readEntries(json);
  const faults: string[] = [];
  const users = entries.map(({ user, role, hash }, index) => {
    const parsed = parsePasswordHash(hash);
    if (parsed === null) {
      faults.push(`[${String(index)}].hash: is no scrypt hash of sufficient cost; make one with hash-password`);
    }
    if (entries.findIndex((other) => other.user === user) !== index) {
      faults.push(`[${String(index)}].user: is given twice`);
    }
    return { user, role, hash: parsed };
  });
  if (faults.length > 0) throw new Error(`AUTH_USERS: ${faults.join('; ')}`);
  return users.filter((entry): entry is AuthUser => entry.hash !== null);
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
