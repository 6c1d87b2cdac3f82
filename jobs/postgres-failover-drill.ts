import { drillJob } from './runner/drill-job';
import { FAILOVER_SCENARIOS } from '../drills/postgres/acts';

/** Shows that PostgreSQL's standby takes over within its budget, and that the old primary cannot do harm. */
export const job = drillJob({
  drill: 'postgres-failover',
  purpose:
    'Fails PostgreSQL over under a canary: gap, errors and lost rows against the budget, the alert seen, the old primary fenced and streaming again.',
  scenarios: FAILOVER_SCENARIOS,
  cron: '10 10 1 * *',
  attemptSeconds: 900,
});
