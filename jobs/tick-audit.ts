import { z } from 'zod';
import { defineJob } from './runner/declaration';

/** Accounts for every tick of every schedule, so that none is lost without anybody knowing. */
export const job = defineJob({
  name: 'tick-audit',
  purpose:
    'Accounts for every nominal tick of every schedule: ran (and how late), skipped, missed, paused, or still waiting.',
  input: z.strictObject({
    graceSeconds: z
      .number()
      .int()
      .min(5)
      .max(3_600)
      .default(300)
      .describe('Younger ticks are left for the next time: by then what was started for them is seen.'),
  }),
  schedule: { cron: '17 * * * *', overlap: 'skip', catchUpSeconds: 3_600 },
  concurrency: { atMost: 1 },
  freshness: { objective: 'every tick was accounted for in the last 3 h', withinSeconds: 3 * 3_600 },
  runbook: 'tick-audit.md',
  attemptSeconds: 120,
  attempts: 5,
  run: async ({ graceSeconds }, context) => {
    const { log, ports } = context;
    const schedules = await ports.schedules.audit(graceSeconds);
    for (const { scheduleId, missed } of schedules)
      if (missed > 0) log.warn({ scheduleId, missed }, 'ticks were missed');
    await context.evidence('ticks', { schedules });
    return { missed: schedules.reduce((sum, { missed }) => sum + missed, 0), schedules };
  },
});
