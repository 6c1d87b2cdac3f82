/**
 * Jobs that break a part on purpose, and for how long the alerts of that part keep quiet meanwhile, s, from the start of the
 * run: the longest that the drill may take to be over its act and its recovery. A run that is over earlier ends the
 * quiet with it; one that takes longer is alerted like any outage.
 */
export const DRILL_SILENCE_SECONDS: Readonly<Record<string, number>> = {
  'postgres-failover-drill': 180,
  'mqtt-failover-drill': 180,
  'worker-crash-drill': 180,
};
