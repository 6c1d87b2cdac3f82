import type { AuthUser } from '../../config/auth-users';
import { unmatchableHash, verifyPassword } from '../../config/password-hash';
import { DermsError } from '../../domain/errors';
import { HttpFailure } from '../problem';
import type { LoginBackOff } from './login-back-off';
import type { Caller, Tokens } from './tokens';

export interface Session extends Caller {
  readonly accessToken: string;
  readonly expiresInSeconds: number;
}

export interface Authentication {
  /** @throws {DermsError} UNAUTHENTICATED, TOO_MANY_REQUESTS. */
  login(credentials: { readonly user: string; readonly password: string }, address: string): Promise<Session>;
  /** Who sends this token; null when nobody does any more. */
  callerOf(token: string): Caller | null;
}

/** Each attempt takes some 30 ms and 16 MiB: what comes while these are busy and queued is told to come back. */
const MAX_AT_ONCE = 8;

/**
 * Log-in by password, then by token. A token counts only while its user still has its role: taking a user out of
 * `AUTH_USERS` ends the sessions with the next start.
 */
export function createAuthentication(
  users: readonly AuthUser[],
  tokens: Tokens,
  backOff: LoginBackOff,
): Authentication {
  const byName = new Map(users.map((user) => [user.user, user]));
  const nobody = unmatchableHash();
  let running = 0;

  const check = async (user: string, password: string): Promise<AuthUser | null> => {
    if (running >= MAX_AT_ONCE) throw tooMany(1);
    running += 1;
    try {
      const known = byName.get(user);
      // Unknown users are compared too, with what nobody can match: they take as long as known ones.
      const matches = await verifyPassword(password, known?.hash ?? nobody);
      return matches && known !== undefined ? known : null;
    } finally {
      running -= 1;
    }
  };

  return {
    login: async ({ user, password }, address) => {
      const wait = backOff.waitSeconds(user, address);
      if (wait > 0) throw tooMany(wait);
      const known = await check(user, password);
      if (known === null) {
        backOff.failed(user, address);
        throw new DermsError('UNAUTHENTICATED', 'User or password is wrong.');
      }
      backOff.succeeded(user, address);
      const caller = { user: known.user, role: known.role };
      return { ...caller, accessToken: tokens.issue(caller), expiresInSeconds: tokens.ttlSeconds };
    },
    callerOf: (token) => {
      const caller = tokens.read(token);
      return caller !== null && byName.get(caller.user)?.role === caller.role ? caller : null;
    },
  };
}

const tooMany = (seconds: number): DermsError =>
  new HttpFailure('TOO_MANY_REQUESTS', `Too many failed log-ins; try again in ${String(seconds)} s.`, {
    headers: { 'Retry-After': String(seconds) },
  });
