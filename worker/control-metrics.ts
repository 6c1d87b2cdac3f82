import type { ControlActivities } from '../activities';
import { Counter, DURATION_BUCKETS, Histogram, type Registry } from '../observability/metrics';

/** Wraps the control activities with the figures of design: durations of cycle, plan and publish, and what came of them. */
export function withControlMetrics(activities: ControlActivities, registry: Registry): ControlActivities {
  const registers = [registry];
  const histogram = (name: string, help: string): Histogram =>
    new Histogram({ name, help, buckets: DURATION_BUCKETS, registers });
  const planSeconds = histogram('derms_plan_seconds', 'Duration of planCycle.');
  const publishSeconds = histogram('derms_publish_seconds', 'Duration of publishSetpoints.');
  const cycleSeconds = histogram('derms_cycle_seconds', 'From the start of planCycle to the last acknowledgement.');
  const cycles = new Counter({
    name: 'derms_cycles_total',
    help: 'Control cycles by outcome.',
    labelNames: ['outcome'],
    registers,
  });
  for (const outcome of [
    'publish',
    'nothing-to-publish',
    'awaiting-approval',
    'quarantined',
    'behind',
    'ended',
    'failed',
  ])
    cycles.inc({ outcome }, 0);
  const missed = new Counter({
    name: 'derms_missed_ticks_total',
    help: 'Nominal ticks without a plan.',
    labelNames: ['feeder'],
    registers,
  });
  const setpoints = new Counter({
    name: 'derms_setpoints_total',
    help: 'Setpoints by what became of them.',
    labelNames: ['outcome'],
    registers,
  });
  for (const outcome of ['acknowledged', 'failed', 'withheld']) setpoints.inc({ outcome }, 0);
  const begun = new Map<string, number>();

  return {
    ...activities,
    async planCycle(input) {
      const startedAt = performance.now();
      const end = planSeconds.startTimer();
      try {
        const answer = await activities.planCycle(input);
        cycles.inc({ outcome: answer.outcome });
        missed.inc({ feeder: input.rootFeederId }, answer.missedTicks); // 0 too: the series is there before it is needed
        if (answer.outcome === 'publish') begun.set(input.rootFeederId, startedAt);
        else cycleSeconds.observe((performance.now() - startedAt) / 1000);
        return answer;
      } catch (error) {
        cycles.inc({ outcome: 'failed' });
        throw error;
      } finally {
        end();
      }
    },
    async publishSetpoints(input) {
      const end = publishSeconds.startTimer();
      try {
        const result = await activities.publishSetpoints(input);
        setpoints.inc({ outcome: 'acknowledged' }, result.acknowledged);
        setpoints.inc({ outcome: 'failed' }, result.failed);
        setpoints.inc({ outcome: 'withheld' }, result.withheld);
        const startedAt = begun.get(input.rootFeederId);
        if (startedAt !== undefined) cycleSeconds.observe((performance.now() - startedAt) / 1000);
        return result;
      } finally {
        begun.delete(input.rootFeederId);
        end();
      }
    },
  };
}
