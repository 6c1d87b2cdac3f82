import { createHash } from 'node:crypto';
import { passwordAges, type AuthUser, type PasswordAges } from '../../config/auth-users';
import { unmatchableHash, verifyPassword, type PasswordHash } from '../../config/password-hash';
import { DermsError } from '../../domain/errors';
import { SECRET_MAX_AGE_DAYS } from '../../domain/secret-age';
import { addressRange } from '../client-address';
import { HttpFailure } from '../problem';
import type { Caller, Person } from './caller';
import type { LoginBackOff } from './login-back-off';
import { createPasswordChecks, PASSWORD_CHECKS } from './password-checks';
import { isMachineToken, type TokenRegister } from './token-register';
import type { Tokens } from './tokens';

export interface Session extends Pick<Person, 'user' | 'role'> {
  readonly accessToken: string;
  readonly expiresInSeconds: number;
}

export interface Authentication {
  /** @throws {DermsError} UNAUTHENTICATED, TOO_MANY_REQUESTS. */
  login(credentials: { readonly user: string; readonly password: string }, address: string): Promise<Session>;
  /**
   * Who sends this token; null when nobody does any more.
   *
   * @throws {DermsError} DATABASE_UNAVAILABLE for a token of a machine that cannot be checked.
   */
  callerOf(token: string, address: string): Caller | null;
  isUser(name: string): boolean;
  passwords(): PasswordAges;
  /** Sentences for health; they name nobody. */
  problems(): readonly string[];
}

/**
 * Why a token was not taken. `expired`: it was good once, as every console's is in the end. `revoked`: revoked, or of somebody
 * who is no user any more, or has another role. `machine`: no machine token that is in force. `unknown`: not signed by us.
 */
export const TOKEN_REFUSALS = ['expired', 'revoked', 'machine', 'unknown'] as const;
export type TokenRefusal = (typeof TOKEN_REFUSALS)[number];

export interface AuthenticationParts {
  readonly onTokenRefused: (reason: TokenRefusal) => void;
  readonly users: readonly AuthUser[];
  readonly tokens: Tokens;
  readonly register: TokenRegister;
  readonly backOff: LoginBackOff;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<unknown>;
}

/**
 * Log-in by password, then by token. A token counts only while its user still has its role: taking a user out of
 * `AUTH_USERS` ends the sessions with the next start.
 */
export function createAuthentication(parts: AuthenticationParts): Authentication {
  const { users, tokens, register, backOff, now, sleep, onTokenRefused } = parts;
  const byName = new Map(users.map((user) => [user.user, user]));
  const decoys = users.map(({ hash }) => unmatchableHash(hash));
  const checks = createPasswordChecks(PASSWORD_CHECKS, sleep);
  const ages = (): PasswordAges => passwordAges(users, now(), SECRET_MAX_AGE_DAYS);

  const refused = (reason: TokenRefusal): null => {
    onTokenRefused(reason);
    return null;
  };
  const match = async (user: string, password: string): Promise<AuthUser | null> => {
    const known = byName.get(user);
    const matches = await verifyPassword(password, known?.hash ?? decoyFor(user, decoys));
    return matches && known !== undefined ? known : null;
  };

  return {
    login: async ({ user, password }, address) => {
      const subject = { user, address: addressRange(address) };
      const place = checks.enter(subject.address);
      if (place === null) throw tooMany('Too many log-ins are under way', 1);
      try {
        const { blockedSeconds, delayMs } = await backOff.begin(subject);
        if (blockedSeconds > 0) throw tooMany('Too many failed log-ins', blockedSeconds);
        const known = await place.run(delayMs, () => match(user, password));
        if (known === null) throw new DermsError('UNAUTHENTICATED', 'User or password is wrong.');
        await backOff.succeeded(subject);
        const person = { user: known.user, role: known.role };
        return { ...person, accessToken: tokens.issue(person), expiresInSeconds: tokens.ttlSeconds };
      } finally {
        place.leave();
      }
    },
    callerOf: (token, address) => {
      if (isMachineToken(token)) return register.machineOf(token, address) ?? refused('machine');
      const claims = tokens.read(token);
      if (claims === null) return refused(tokens.hasExpired(token) ? 'expired' : 'unknown');
      const { user, role } = claims;
      if (byName.get(user)?.role !== role || register.isRevoked(claims)) return refused('revoked');
      return { kind: 'person', user, role };
    },
    isUser: (name) => byName.has(name),
    passwords: ages,
    problems: () => {
      const { length } = ages().overdue;
      const subject = length === 1 ? '1 password of AUTH_USERS is' : `${String(length)} passwords of AUTH_USERS are`;
      return length === 0 ? [] : [`${subject} older than ${String(SECRET_MAX_AGE_DAYS)} days`];
    },
  };
}

/**
 * What an unknown user is compared with: the cost of one of the real hashes, the same one each time for a name, so that
 * neither one attempt nor many tell known names from unknown ones.
 */
function decoyFor(user: string, decoys: readonly PasswordHash[]): PasswordHash {
  const place = createHash('sha256').update(user).digest().readUInt32BE(0);
  return decoys[place % decoys.length] ?? unmatchableHash();
}

const tooMany = (what: string, seconds: number): DermsError =>
  new HttpFailure('TOO_MANY_REQUESTS', `${what}; try again in ${String(seconds)} s.`, {
    headers: { 'Retry-After': String(seconds) },
  });
