import type { BackupTimes } from '../../db/backups';
import { Counter, Gauge, type Registry } from '../../observability/metrics';

export interface BackupFigures {
  readonly times: readonly BackupTimes[];
  readonly failedVerifications: number;
}

const NONE: BackupFigures = { times: [], failedVerifications: 0 };
/** The metrics of one scrape are read together, ms. */
const FRESH_MS = 1_000;

/**
 * How old the backups are, read from Postgres at each scrape: a restarted process forgets nothing. While Postgres does not
 * answer the figures stay what they were; `derms_db_up` says so.
 */
export function registerBackupMetrics(
  registry: Registry,
  read: () => Promise<BackupFigures>,
  kinds: readonly BackupTimes['kind'][],
  monotonicMs: () => number,
): void {
  const figures = rememberLast(read, monotonicMs);
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

function rememberLast(read: () => Promise<BackupFigures>, monotonicMs: () => number): () => Promise<BackupFigures> {
  let last = NONE;
  let reading: Promise<BackupFigures> | null = null;
  let readAtMs = -Infinity;
  return () => {
    if (reading !== null && monotonicMs() - readAtMs < FRESH_MS) return reading;
    readAtMs = monotonicMs();
    reading = read().then(
      (figures) => (last = figures),
      () => last,
    );
    return reading;
  };
}
