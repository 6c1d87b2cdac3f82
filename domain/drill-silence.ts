/**
 * Jobs that break a part on purpose, and for how long the alerts of that part keep quiet meanwhile, s, from the start of the
 * run: the longest that the drill may take to be over its act and its recovery, as its own times in drills/ and
 * worker/drill-ports.ts allow. A run that is over earlier ends the quiet with it; one that takes longer is alerted like any outage.
 */
export const DRILL_SILENCE_SECONDS: Readonly<Record<string, number>> = {
  // Calm 15, the program 120, promotion 10, the road to the new primary 5, recovery 60.
  'postgres-failover-drill': 210,
  // Calm 15, the program 60, recovery 60, the program that brings it back 60, the broker published to again 30.
  'mqtt-failover-drill': 225,
  // Calm 60 (loops of ten seconds), the program 120, recovery 120, as many workers as before 120.
  'worker-crash-drill': 420,
};
