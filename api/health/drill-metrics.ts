import type { LastDrillReport } from '../../db/drill-reports';
import { DRILL_NAMES } from '../../domain/drills';
import { Gauge, type Registry } from '../../observability/metrics';
import { readAtScrape } from './at-scrape';

const GAUGES: readonly {
  readonly name: string;
  readonly help: string;
  readonly of: (last: LastDrillReport) => number;
}[] = [
  {
    name: 'derms_drill_last_passed',
    help: '1 when the newest drill has passed, 0 when it has failed or there was none.',
    of: ({ passed }) => (passed ? 1 : 0),
  },
  {
    name: 'derms_drill_last_gap_seconds',
    help: 'Longest time without an acknowledged write in the newest drill; 0 when there was none.',
    of: ({ gapSeconds }) => gapSeconds,
  },
  {
    name: 'derms_drill_last_timestamp_seconds',
    help: 'When the newest drill was over; 0 when there was none.',
    of: ({ finishedAt }) => finishedAt,
  },
  {
    name: 'derms_drill_last_passed_timestamp_seconds',
    help: 'When the newest drill that has passed was over; 0 when none has.',
    of: ({ passedAt }) => passedAt,
  },
];

/** What the newest drill of each kind has shown, there from the first scrape. */
export function registerDrillMetrics(
  registry: Registry,
  read: () => Promise<readonly LastDrillReport[]>,
  monotonicMs: () => number,
): void {
  const figures = readAtScrape<readonly LastDrillReport[]>(read, [], monotonicMs);
  for (const { name, help, of } of GAUGES) {
    new Gauge({
      name,
      help,
      labelNames: ['drill'],
      registers: [registry],
      async collect() {
        const last = await figures();
        for (const drill of DRILL_NAMES) {
          const found = last.find((entry) => entry.drill === drill);
          this.set({ drill }, found === undefined ? 0 : of(found));
        }
      },
    });
  }
}
