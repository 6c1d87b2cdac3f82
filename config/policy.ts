import type { Settings } from './schema';

/** The numbers that decisions are made by, under the names that `domain/` knows them by. */
export const policyNumbers = (settings: Settings) => ({
  staleSeconds: settings.TELEMETRY_STALE_SECONDS,
  offlineSeconds: settings.DEVICE_OFFLINE_SECONDS,
  deadbandKw: settings.DEADBAND_KW,
  followingToleranceKw: settings.FOLLOWING_TOLERANCE_KW,
  followingToleranceShare: settings.FOLLOWING_TOLERANCE_SHARE,
  settleSeconds: settings.DEVICE_SETTLE_SECONDS,
  notFollowingAfterCycles: settings.NOT_FOLLOWING_AFTER_CYCLES,
  notFollowingRetrySeconds: settings.NOT_FOLLOWING_RETRY_SECONDS,
  heldWithinShare: settings.HELD_WITHIN_SHARE,
  growthShare: settings.GROWTH_SHARE,
  rotationSeconds: settings.EV_ROTATION_SECONDS,
  leastWaitSeconds: settings.EV_WAIT_LEAST_SECONDS,
  evUrgencyMost: settings.EV_URGENCY_MOST,
});
