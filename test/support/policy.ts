import { defaultPolicyNumbers } from '../../config/policy';
import type { PolicyNumbers } from '../../db/tree-snapshot';
import type { PlanSettings } from '../../domain/fleet';
import { setpointTtlSeconds } from '../../domain/setpoint-life';

/** The numbers of the policy as they are by default, the soc of an EV playing no part. */
export const POLICY: PolicyNumbers = { ...defaultPolicyNumbers(), setpointTtlSeconds, evUrgencyMost: 1 };

/** The same as a plan has them, every ten seconds. */
export const PLAN_SETTINGS: PlanSettings = {
  ...POLICY,
  setpointTtlSeconds: setpointTtlSeconds(10),
  intervalSeconds: 10,
};
