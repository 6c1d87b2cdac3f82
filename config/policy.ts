import { settingsSchema, type Settings } from './schema';

/** Settings that decisions are made by; all have defaults. */
export const POLICY_SETTINGS = {
  TELEMETRY_STALE_SECONDS: true,
  DEVICE_OFFLINE_SECONDS: true,
  DEADBAND_KW: true,
  FOLLOWING_TOLERANCE_KW: true,
  FOLLOWING_TOLERANCE_SHARE: true,
  DEVICE_SETTLE_SECONDS: true,
  NOT_FOLLOWING_AFTER_CYCLES: true,
  NOT_FOLLOWING_RETRY_SECONDS: true,
  HELD_WITHIN_SHARE: true,
  GROWTH_SHARE: true,
  EV_ROTATION_SECONDS: true,
  EV_WAIT_LEAST_SECONDS: true,
  EV_URGENCY_MOST: true,
} as const;

/** The numbers that decisions are made by, under the names that `domain/` knows them by. */
export const policyNumbers = (settings: Pick<Settings, keyof typeof POLICY_SETTINGS>) => ({
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

/** The same where nobody sets any. */
export const defaultPolicyNumbers = () => policyNumbers(settingsSchema.pick(POLICY_SETTINGS).parse({}));
