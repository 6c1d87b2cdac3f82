import type { PolicyNumbers } from '../../db/tree-snapshot';
import type { PlanSettings } from '../../domain/fleet';

/** The numbers of the policy as they are by default, the soc of an EV playing no part. */
export const POLICY: PolicyNumbers = {
  staleSeconds: 30,
  offlineSeconds: 180,
  setpointTtlSeconds: () => 60,
  deadbandKw: 0.1,
  followingToleranceKw: 0.5,
  followingToleranceShare: 0.05,
  settleSeconds: 5,
  notFollowingAfterCycles: 3,
  notFollowingRetrySeconds: 300,
  heldWithinShare: 0.02,
  growthShare: 0.1,
  rotationSeconds: 900,
  leastWaitSeconds: 60,
  evUrgencyMost: 1,
};

/** The same as a plan has them, every ten seconds. */
export const PLAN_SETTINGS: PlanSettings = { ...POLICY, setpointTtlSeconds: 60, intervalSeconds: 10 };
