import type { BackupTimes } from '../../db/backups';
import { Counter, Gauge, type Registry } from '../../observability/metrics';
import { readAtScrape } from './at-scrape';

export interface BackupFigures {
  readonly times: readonly BackupTimes[];
  readonly failedVerifications: number;
}

const NONE: BackupFigures = { times: [], failedVerifications: 0 };

/** How old the backups are. */
export function registerBackupMetrics(
  registry: Registry,
  read: () => Promise<BackupFigures>,
  kinds: readonly BackupTimes['kind'][],
  monotonicMs: () => number,
): void {
  const figures = readAtScrape(read, NONE, monotonicMs);
  const registers = [registry];
  const gauge = (name: string, help: string, of: (times: BackupTimes) => number): void => {
    new Gauge({
      name,
      help,
      labelNames: ['kind'],
      registers,
      async collect() {
        const { times } = await figures();
        for (const kind of kinds) {
          const found = times.find((entry) => entry.kind === kind);
          this.set({ kind }, found === undefined ? 0 : of(found));
        }
      },
    });
  };
  gauge(
    'derms_backup_last_success_timestamp_seconds',
    'When the newest stored backup was taken; 0 while there is none.',
    ({ lastSuccess }) => lastSuccess,
  );
  gauge(
    'derms_backup_last_verified_timestamp_seconds',
    'When the newest backup whose last check passed was taken; 0 while there is none.',
    ({ lastVerified }) => lastVerified,
  );
  new Counter({
    name: 'derms_backup_verification_failures_total',
    help: 'Checks of stored backups that failed.',
    registers,
    async collect() {
      const { failedVerifications } = await figures();
      this.reset();
      this.inc(failedVerifications);
    },
  });
}
