/** Failed log-ins of one user from one address. */
interface Streak {
  failures: number;
  blockedUntilMs: number;
}

const FREE_FAILURES = 5;
const LONGEST_WAIT_MS = 60_000;
/** Who has made no mistake for so long begins anew. */
const FORGIVEN_AFTER_MS = 900_000;
/** A flood of names must not fill the memory: the oldest streaks are forgotten. */
const MAX_STREAKS = 10_000;

export interface LoginBackOff {
  /** Seconds to wait before the next attempt is looked at; 0 = now. */
  waitSeconds(user: string, address: string): number;
  failed(user: string, address: string): void;
  succeeded(user: string, address: string): void;
}

/**
 * Slows down guessing: after five failures each further one doubles the wait, up to a minute. Counted by user and
 * address together, so that nobody can lock an operator out from elsewhere. In memory, hence per replica.
 */
export function createLoginBackOff(nowMs: () => number): LoginBackOff {
  const streaks = new Map<string, Streak>();
  const keyOf = (user: string, address: string): string => `${address} ${user}`;
  return {
    waitSeconds: (user, address) => {
      const until = streaks.get(keyOf(user, address))?.blockedUntilMs ?? 0;
      return Math.max(0, Math.ceil((until - nowMs()) / 1000));
    },
    failed: (user, address) => {
      const key = keyOf(user, address);
      const before = streaks.get(key);
      const forgiven = before === undefined || nowMs() - before.blockedUntilMs > FORGIVEN_AFTER_MS;
      const failures = (forgiven ? 0 : before.failures) + 1;
      const waitMs = failures < FREE_FAILURES ? 0 : Math.min(LONGEST_WAIT_MS, 1000 * 2 ** (failures - FREE_FAILURES));
      streaks.delete(key); // to stand last: a Map keeps the order of insertion
      streaks.set(key, { failures, blockedUntilMs: nowMs() + waitMs });
      const [oldest] = streaks.keys();
      if (streaks.size > MAX_STREAKS && oldest !== undefined) streaks.delete(oldest);
    },
    succeeded: (user, address) => {
      streaks.delete(keyOf(user, address));
    },
  };
}
