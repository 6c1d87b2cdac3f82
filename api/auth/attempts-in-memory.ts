import type { StreakRules } from '../../db/login-streaks';
import type { AttemptCounter } from './login-back-off';

interface Streak {
  failures: number;
  lastAtMs: number;
  blockedUntilMs: number;
}

/** A flood of names must not fill the memory: the oldest streaks are forgotten. */
const MAX_STREAKS = 10_000;

/** Counts as `db/login-streaks.ts` does, in one process. */
export function attemptsInMemory(rules: StreakRules, nowMs: () => number): AttemptCounter {
  const streaks = new Map<string, Streak>();
  const next = (key: string): Streak => {
    const before = streaks.get(key);
    const forgiven = before === undefined || nowMs() - before.lastAtMs > rules.forgivenAfterSeconds * 1_000;
    const failures = (forgiven ? 0 : before.failures) + 1;
    streaks.delete(key); // to stand last: a Map keeps the order of insertion
    const streak = { failures, lastAtMs: nowMs(), blockedUntilMs: nowMs() };
    streaks.set(key, streak);
    const [oldest] = streaks.keys();
    if (streaks.size > MAX_STREAKS && oldest !== undefined) streaks.delete(oldest);
    return streak;
  };
  const pairKey = (user: string, address: string): string => `pair ${address} ${user}`;
  const userKey = (user: string): string => `user ${user}`;
  return {
    count: ({ user, address }) => {
      const blockedMs = (streaks.get(pairKey(user, address))?.blockedUntilMs ?? 0) - nowMs();
      if (blockedMs > 0) return Promise.resolve({ blockedSeconds: Math.ceil(blockedMs / 1_000), userFailures: 0 });
      const pair = next(pairKey(user, address));
      pair.blockedUntilMs += blockMs(pair.failures, rules);
      return Promise.resolve({ blockedSeconds: 0, userFailures: next(userKey(user)).failures });
    },
    forget: ({ user, address }) => {
      streaks.delete(pairKey(user, address));
      const named = streaks.get(userKey(user));
      if (named !== undefined) named.failures = Math.max(0, named.failures - 1);
      return Promise.resolve();
    },
  };
}

const blockMs = (failures: number, { freeFailures, longestBlockSeconds }: StreakRules): number =>
  failures < freeFailures ? 0 : 1_000 * Math.min(longestBlockSeconds, 2 ** (failures - freeFailures));
