import type { LastDrill } from '../db/restore-drills';
import { Gauge, type Registry } from '../observability/metrics';

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

/** Read from Postgres at each scrape, so that they outlive the process; while it is away they stay what they were. */
export function registerRestoreMetrics(registry: Registry, read: () => Promise<LastDrill | null>): void {
  for (const { name, help, of } of GAUGES) {
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        try {
          this.set((await read())?.[of] ?? 0);
        } catch {
          // the database is away, which `derms_db_up` says
        }
      },
    });
  }
}
