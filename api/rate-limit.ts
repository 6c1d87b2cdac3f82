import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Counter } from '../observability/metrics';
import type { Logger } from '../observability/logger';
import { HttpFailure } from './problem';

/** Whose requests are counted apart: people and machines by their name, those that nobody is known to send by address. */
export const RATE_POLICIES = ['reads', 'changes', 'strangers'] as const;
export type RatePolicy = (typeof RATE_POLICIES)[number];

/** Most requests of one caller in {@link RATE_WINDOW_SECONDS}. */
export type RateLimits = Readonly<Record<RatePolicy, number>>;

export const RATE_WINDOW_SECONDS = 10;

export interface RateLimiter {
  /**
   * Counts a request.
   *
   * @returns the headers that tell the caller what is left, as `draft-ietf-httpapi-ratelimit-headers-10` writes them.
   * @throws {DermsError} TOO_MANY_REQUESTS, with the same headers and `Retry-After`.
   */
  count(policy: RatePolicy, caller: string): Promise<Readonly<Record<string, string>>>;
}

export interface RateLimiterContext {
  /** By policy: requests that were turned away. */
  readonly refused: Counter<'policy'>;
  readonly log: Pick<Logger, 'warn'>;
}

/**
 * Keeps one caller from asking more often than any page or script of good will does. Counted by this process alone: what
 * it protects is this process. What somebody reads is counted apart from what they change, so that a script of theirs
 * that reads too much keeps nobody from acting, not even themselves.
 */
export function createRateLimiter(limits: RateLimits, { refused, log }: RateLimiterContext): RateLimiter {
  const counters = Object.fromEntries(
    RATE_POLICIES.map((policy) => [
      policy,
      new RateLimiterMemory({ points: limits[policy], duration: RATE_WINDOW_SECONDS }),
    ]),
  ) as Record<RatePolicy, RateLimiterMemory>; // one for each
  const window = String(RATE_WINDOW_SECONDS);

  return {
    count: async (policy, caller) => {
      const counted = await outcomeOf(counters[policy], caller);
      const seconds = Math.max(1, Math.ceil(counted.msBeforeNext / 1_000));
      const headers = {
        'RateLimit-Policy': `"${policy}";q=${String(limits[policy])};w=${window}`,
        RateLimit: `"${policy}";r=${String(counted.remainingPoints)};t=${String(seconds)}`,
      };
      if (counted.consumedPoints <= limits[policy]) return headers;
      refused.inc({ policy });
      if (counted.consumedPoints === limits[policy] + 1)
        log.warn({ policy, caller, limit: limits[policy] }, `a caller asks more often than ${window} s allow`);
      throw new HttpFailure(
        'TOO_MANY_REQUESTS',
        `More than ${String(limits[policy])} requests (${policy}) in ${window} s; try again in ${String(seconds)} s.`,
        { headers: { ...headers, 'Retry-After': String(seconds) } },
      );
    },
  };
}

/** The library rejects with what it counted when it is too much. */
async function outcomeOf(counter: RateLimiterMemory, caller: string): Promise<RateLimiterRes> {
  try {
    return await counter.consume(caller);
  } catch (thrown) {
    if (thrown instanceof RateLimiterRes) return thrown;
    throw thrown;
  }
}
