/**
 * How long the parts of a cycle may take, so that a cycle never outlives its interval (design: planning at most
 * min(3 s, 0.4 I), publishing at most min(4 s, 0.4 I)).
 */
export const MIN_INTERVAL_SECONDS = 2;

const SHARE_OF_INTERVAL = 0.4;
const MAX_PLAN_MS = 3_000;
const MAX_PUBLISH_MS = 4_000;

export const planTimeoutMs = (intervalSeconds: number): number => limited(MAX_PLAN_MS, intervalSeconds);
export const publishTimeoutMs = (intervalSeconds: number): number => limited(MAX_PUBLISH_MS, intervalSeconds);

const limited = (maxMs: number, intervalSeconds: number): number =>
  Math.min(maxMs, Math.max(MIN_INTERVAL_SECONDS, intervalSeconds) * 1000 * SHARE_OF_INTERVAL);
