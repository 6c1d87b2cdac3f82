import { drillJob } from './runner/drill-job';
import { WORKER_SCENARIOS } from '../drills/workers/acts';

/** Shows that one worker of two is enough: every loop goes on within two intervals when the other is killed. */
export const job = drillJob({
  drill: 'worker-crash',
  purpose:
    'Kills a worker under a canary that watches every control loop: the longest gap of each against the budget, ticks and setpoints accounted for, nobody paged.',
  scenarios: WORKER_SCENARIOS,
  cron: '10 12 1 * *',
  attemptSeconds: 900,
});
