import { decode } from 'jsonwebtoken';
import { tokensOf } from '../app-under-test';

const OLD = 'nLqGmQ0b3yU7sT9xVd2kZr5wHc8fJa1eP4iM6oXuBtY';
const NEW = 'pX2rV9sKdT0aQz7cJm4YwL8hNb6uGe1fRi5oSvBtWyE';
const OLGA = { user: 'olga', role: 'operator' } as const;

describe('an access token', () => {
  it('says who, for what, since when and until when, and by which key', () => {
    const token = decode(tokensOf({ nowMs: () => 1_777_636_800_250 }).issue(OLGA), { complete: true });
    expect(token?.header).toEqual({ alg: 'HS256', typ: 'JWT', kid: expect.stringMatching(/^[\w-]{12}$/) });
    expect(token?.payload).toEqual({
      ...{ sub: 'olga', role: 'operator', iss: 'derms-production', aud: 'derms-api', jti: expect.any(String) },
      ...{ iat: 1_777_636_800.25, exp: 1_777_640_400.25 },
    });
  });

  it('has an id of its own each time', () => {
    const ids = Array.from({ length: 3 }, () => (decode(tokensOf().issue(OLGA)) as { jti: string }).jti);
    expect(new Set(ids).size).toBe(3);
  });

  it('is over when its time is', () => {
    let nowMs = 0;
    const tokens = tokensOf({ ttlSeconds: 60, nowMs: () => nowMs + 1e12 });
    const token = tokens.issue(OLGA);
    nowMs = 59_999;
    expect(tokens.read(token)).toEqual({ ...OLGA, issuedAtMs: 1e12, expiresAtMs: 1e12 + 60_000 });
    nowMs = 60_000;
    expect(tokens.read(token)).toBeNull();
    expect(tokens.hasExpired(token)).toBe(true);
  });

  it('that was changed, or that another secret signed, has not expired: it never was one', () => {
    const token = tokensOf().issue(OLGA);
    const foreign = tokensOf({ secret: NEW }).issue(OLGA);
    const staging = tokensOf({ issuer: 'derms-staging' }).issue(OLGA);
    const tried = [`${token.slice(0, -4)}AAAA`, foreign, staging, 'no token', `${token}.x`];
    expect(tried.map((text) => tokensOf().hasExpired(text))).toEqual([false, false, false, false, false]);
  });
});

describe('replacing the secret while several processes serve', () => {
  // As in the runbook: everybody accepts the new one first, then everybody signs with it, then the old one goes.
  const before = tokensOf({ secret: OLD });
  const accepting = tokensOf({ secret: OLD, previousSecret: NEW });
  const signing = tokensOf({ secret: NEW, previousSecret: OLD });
  const after = tokensOf({ secret: NEW });

  it.each([
    ['before and accepting', before, accepting],
    ['accepting and signing', accepting, signing],
    ['signing and after', signing, after],
  ])('%s: each takes what the other issues', (_step, one, other) => {
    expect([other.read(one.issue(OLGA))?.user, one.read(other.issue(OLGA))?.user]).toEqual(['olga', 'olga']);
  });

  it('in one step it would cost log-ins: who has not begun refuses what is issued by who has', () => {
    expect(before.read(signing.issue(OLGA))).toBeNull();
  });

  it('ends with the old secret opening nothing', () => {
    expect(after.read(before.issue(OLGA))).toBeNull();
  });
});
