import { createHmac, randomUUID } from 'node:crypto';
import { decode, sign, verify, type VerifyOptions } from 'jsonwebtoken';
import { z } from 'zod';
import { ROLES, type Role } from '../../config/auth-users';

export interface TokenOptions {
  /** Signs, and is accepted. */
  readonly secret: string;
  /** Accepted too, while one takes the place of the other; null: none. */
  readonly previousSecret: string | null;
  /** Of this environment: a token of another one is refused, also under the same secret. */
  readonly issuer: string;
  readonly ttlSeconds: number;
  readonly nowMs: () => number;
}

/** What a token of ours says that is in force by itself: neither revoked nor not is known here. */
export interface TokenClaims {
  readonly user: string;
  readonly role: Role;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

export interface Tokens {
  readonly ttlSeconds: number;
  issue(person: { readonly user: string; readonly role: Role }): string;
  /** null when the token is not ours, expired, or was changed. */
  read(token: string): TokenClaims | null;
  /** Of a token that `read` refused: whether it was good once. */
  hasExpired(token: string): boolean;
}

/** Algorithm, issuer and audience are pinned: a token says nothing about how it wants to be checked. */
const ALGORITHM = 'HS256';
const AUDIENCE = 'derms-api';
/** Clocks of replicas differ by less; what was issued later than now was not issued by one of them. */
const MOST_SKEW_SECONDS = 60;

const headerSchema = z.object({ kid: z.string() });
const claimsSchema = z.object({
  sub: z.string().min(1),
  role: z.enum(ROLES),
  jti: z.string().min(1),
  iat: z.number(),
  exp: z.number(),
});

export function createTokens({ secret, previousSecret, issuer, ttlSeconds, nowMs }: TokenOptions): Tokens {
  const kid = keyId(secret);
  const secrets = new Map([[kid, secret]]);
  if (previousSecret !== null) secrets.set(keyId(previousSecret), previousSecret);
  const keyOf = (token: string): string | undefined => {
    const header = headerSchema.safeParse(decode(token, { complete: true })?.header);
    return header.success ? secrets.get(header.data.kid) : undefined;
  };
  const pinned = { issuer, audience: AUDIENCE, algorithms: [ALGORITHM] } satisfies VerifyOptions;
  return {
    ttlSeconds,
    // To the millisecond, so that a revocation parts what was issued before it from what was issued after.
    issue: ({ user, role }) =>
      sign({ role, iat: nowMs() / 1000 }, secret, {
        algorithm: ALGORITHM,
        keyid: kid,
        issuer,
        audience: AUDIENCE,
        subject: user,
        jwtid: randomUUID(),
        expiresIn: ttlSeconds,
      }),
    read: (token) => {
      try {
        const key = keyOf(token);
        if (key === undefined) return null;
        const clockTimestamp = nowMs() / 1000;
        // `maxAge` besides `exp`: a shorter life holds for tokens that were given before it was set, too.
        const rules = { ...pinned, maxAge: ttlSeconds, clockTimestamp };
        const claims = claimsSchema.safeParse(verify(token, key, rules));
        if (!claims.success || claims.data.iat > clockTimestamp + MOST_SKEW_SECONDS) return null;
        const { sub: user, role, iat, exp } = claims.data;
        return { user, role, issuedAtMs: Math.round(iat * 1000), expiresAtMs: Math.round(exp * 1000) };
      } catch {
        return null; // every reason is the same to the caller
      }
    },
    hasExpired: (token) => {
      try {
        const key = keyOf(token);
        return (
          key !== undefined && claimsSchema.safeParse(verify(token, key, { ...pinned, ignoreExpiration: true })).success
        );
      } catch {
        return false;
      }
    },
  };
}

/** Of the secret, so that nobody has to name it; it tells nothing that a token signed with it does not. */
export const keyId = (secret: string): string =>
  createHmac('sha256', secret).update('key id').digest('base64url').slice(0, 12);
