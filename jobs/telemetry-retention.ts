import { z } from 'zod';
import { defineJob } from './runner/declaration';

/** Keeps the time series within their times, and partitions ready for the days to come. */
export const job = defineJob({
  name: 'telemetry-retention',
  purpose: 'Removes time series that are past their time, and makes the partitions of the coming days.',
  input: z.strictObject({}),
  schedule: { cron: '40 1 * * *', overlap: 'skip', catchUpSeconds: 6 * 3_600 },
  concurrency: { atMost: 1 },
  freshness: { objective: 'time series were brought within their times in the last 26 h', withinSeconds: 26 * 3_600 },
  runbook: 'telemetry-retention.md',
  attemptSeconds: 3_600,
  attempts: 3,
  run: async (_input, { log, ports }) => {
    const { made, removed } = await ports.timeSeries.maintain();
    log.info({ made, removed }, 'partitions brought up to date');
    return { made, removed };
  },
});
