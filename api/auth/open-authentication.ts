import { setTimeout as sleep } from 'node:timers/promises';
import { countAttempt, forgetAttempts, removeOldStreaks } from '../../db/login-streaks';
import { noteMachineTokenUses, readMachineTokensInForce } from '../../db/machine-tokens';
import type { Database } from '../../db/pool';
import { readRevokedMoments } from '../../db/token-revocations';
import type { Logger } from '../../observability/logger';
import { attemptsInMemory } from './attempts-in-memory';
import { createAuthentication, type Authentication, type AuthenticationParts } from './authentication';
import type { Credentials } from './credentials';
import { createLoginBackOff, STREAK_RULES, type AttemptCounter } from './login-back-off';
import { createTokenRegister, type TokenRegister } from './token-register';
import { createTokens } from './tokens';

export interface AuthenticationWorld {
  readonly credentials: Credentials;
  /** Apart from the pool of requests, and quicker to give up. */
  readonly probes: Database;
  /** false: a process that only looks counts by itself and notes nothing. */
  readonly writes: boolean;
  readonly isDatabaseUp: () => boolean;
  readonly onTokenRefused: AuthenticationParts['onTokenRefused'];
  readonly log: Logger;
}

/** The longest life that a token may be given, s; older revocations mean nothing to any token. */
const LONGEST_TTL_SECONDS = 43_200;
const REMOVE_OLD_EVERY_MS = 60_000;

/** Log-in and tokens on Postgres, as every replica has them. */
export function openAuthentication(world: AuthenticationWorld): {
  readonly authentication: Authentication;
  readonly tokenRegister: TokenRegister;
} {
  const { credentials, probes, writes, isDatabaseUp, onTokenRefused, log } = world;
  const { users, secret, previousSecret, issuer, ttlSeconds } = credentials;
  const nowMs = (): number => Date.now();
  const tokenRegister = createTokenRegister({
    read: async () => ({
      revoked: await readRevokedMoments(probes, LONGEST_TTL_SECONDS),
      machines: await readMachineTokensInForce(probes, issuer),
    }),
    noteUses: (uses) => (writes ? noteMachineTokenUses(probes, uses) : Promise.resolve()),
    nowMs,
  });
  const authentication = createAuthentication({
    users,
    tokens: createTokens({ secret, previousSecret, issuer, ttlSeconds, nowMs }),
    register: tokenRegister,
    backOff: createLoginBackOff({
      shared: attemptsInDatabase(probes, nowMs),
      own: attemptsInMemory(STREAK_RULES, () => performance.now()),
      isSharedUp: () => writes && isDatabaseUp(),
      log,
    }),
    now: () => new Date(),
    sleep,
    onTokenRefused,
  });
  return { authentication, tokenRegister };
}

function attemptsInDatabase(db: Database, nowMs: () => number): AttemptCounter {
  let removedAtMs = 0;
  return {
    count: async (subject) => {
      if (nowMs() - removedAtMs > REMOVE_OLD_EVERY_MS) {
        removedAtMs = nowMs();
        await removeOldStreaks(db, STREAK_RULES.forgivenAfterSeconds);
      }
      return countAttempt(db, subject, STREAK_RULES);
    },
    forget: (subject) => forgetAttempts(db, subject),
  };
}
