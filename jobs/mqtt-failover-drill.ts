import { drillJob } from './runner/drill-job';
import { BROKER_SCENARIOS } from '../drills/mqtt/acts';

/** Shows that the other broker serves everybody when one is lost, and that the old active comes back into both. */
export const job = drillJob({
  drill: 'mqtt-failover',
  purpose:
    'Loses the primary broker under a canary that publishes as setpoints are published: gap and lost messages against the budget, the alert seen, the broker back.',
  scenarios: BROKER_SCENARIOS,
  cron: '10 11 1 * *',
  attemptSeconds: 600,
});
