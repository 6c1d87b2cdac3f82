/** How long the parts of a cycle may take, so that no cycle outlives its interval (design, section 5). */

/** Shortest interval of a control loop, s. */
export const SHORTEST_INTERVAL_SECONDS = 2;

const PLAN_AT_MOST_MS = 3_000;
const PUBLISH_AT_MOST_MS = 4_000;
/** Plan and publish together leave a fifth of the interval to Temporal. */
const INTERVAL_SHARE = 0.4;
const STATEMENT_SHARE = 0.8;

/** An interval as it is used, s: never below 2. */
export const clampedIntervalSeconds = (intervalSeconds: number): number =>
  Math.max(SHORTEST_INTERVAL_SECONDS, intervalSeconds);

/** Longest a `planCycle` may take, ms. */
export const planTimeoutMs = (intervalSeconds: number): number => shareOf(intervalSeconds, PLAN_AT_MOST_MS);

/** Longest one statement of it may take, ms: we hear of it before the attempt is given up. */
export const statementTimeoutMs = (intervalSeconds: number): number =>
  Math.floor(STATEMENT_SHARE * planTimeoutMs(intervalSeconds));

/** Longest a `publishSetpoints` may take, ms. */
export const publishTimeoutMs = (intervalSeconds: number): number => shareOf(intervalSeconds, PUBLISH_AT_MOST_MS);

const shareOf = (intervalSeconds: number, atMostMs: number): number =>
  Math.min(atMostMs, Math.floor(INTERVAL_SHARE * 1000 * clampedIntervalSeconds(intervalSeconds)));
