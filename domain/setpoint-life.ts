const SHORTEST_TTL_SECONDS = 60;
const INTERVALS = 6;
/** A setpoint is renewed before two thirds of its life are gone. */
const RENEW_AT_SHARE_LEFT = 1 / 3;

/** Every setpoint expires by itself after this, s: long enough to survive a few lost cycles. */
export const setpointTtlSeconds = (intervalSeconds: number): number =>
  Math.max(SHORTEST_TTL_SECONDS, INTERVALS * intervalSeconds);

/** Whether an unchanged setpoint has to be sent again now: it would otherwise fall below a third before the next cycle. */
export const needsRenewal = (
  validUntilMs: number,
  nowMs: number,
  { ttlSeconds, intervalSeconds }: { readonly ttlSeconds: number; readonly intervalSeconds: number },
): boolean => validUntilMs - nowMs - intervalSeconds * 1000 < ttlSeconds * 1000 * RENEW_AT_SHARE_LEFT;
