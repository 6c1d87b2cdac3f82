import { randomUUID } from 'node:crypto';
import { sign, verify } from 'jsonwebtoken';
import { z } from 'zod';
import { ROLES, type Role } from '../../config/auth-users';

export interface Caller {
  readonly user: string;
  readonly role: Role;
}

export interface TokenOptions {
  readonly secret: string;
  readonly ttlSeconds: number;
}

/** Algorithm, issuer and audience are pinned: a token says nothing about how it wants to be checked. */
const ALGORITHM = 'HS256';
const ISSUER = 'derms';
const AUDIENCE = 'derms-api';

const claimsSchema = z.object({ sub: z.string().min(1), role: z.enum(ROLES), jti: z.string().min(1) });

export interface Tokens {
  readonly ttlSeconds: number;
  issue(caller: Caller): string;
  /** null when the token is not ours, expired, or was changed. */
  read(token: string): Caller | null;
}

export const createTokens = ({ secret, ttlSeconds }: TokenOptions): Tokens => ({
  ttlSeconds,
  issue: ({ user, role }) =>
    sign({ role }, secret, {
      algorithm: ALGORITHM,
      issuer: ISSUER,
      audience: AUDIENCE,
      subject: user,
      jwtid: randomUUID(),
      expiresIn: ttlSeconds,
    }),
  read: (token) => {
    try {
      // `maxAge` besides `exp`: a shorter life holds for tokens that were given before it was set, too.
      const claims = claimsSchema.safeParse(
        verify(token, secret, { algorithms: [ALGORITHM], issuer: ISSUER, audience: AUDIENCE, maxAge: ttlSeconds }),
      );
      return claims.success ? { user: claims.data.sub, role: claims.data.role } : null;
    } catch {
      return null; // every reason is the same to the caller
    }
  },
});
