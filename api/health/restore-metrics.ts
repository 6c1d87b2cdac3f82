import type { LastDrill } from '../../db/restore-drills';
import { Gauge, type Registry } from '../../observability/metrics';
import { readAtScrape } from './at-scrape';

const GAUGES = [
  {
    name: 'derms_restore_last_drill_timestamp_seconds',
    help: 'When a drill last restored a backup and ran the application on it; 0 when none has.',
    of: 'at',
  },
  {
    name: 'derms_restore_rto_seconds',
    help: 'How long the last successful drill took until the application answered; 0 when there was none.',
    of: 'rtoSeconds',
  },
  {
    name: 'derms_restore_rpo_seconds',
    help: 'How old the data was that the last successful drill restored, when it began; 0 when there was none.',
    of: 'rpoSeconds',
  },
] as const;

/** What the last drill has shown. */
export function registerRestoreMetrics(
  registry: Registry,
  read: () => Promise<LastDrill | null>,
  monotonicMs: () => number,
): void {
  const lastDrill = readAtScrape(read, null, monotonicMs);
  for (const { name, help, of } of GAUGES) {
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        this.set((await lastDrill())?.[of] ?? 0);
      },
    });
  }
}
