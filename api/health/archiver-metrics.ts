import type { ArchiverFigures } from '../../db/archiver';
import { Counter, Gauge, type Registry } from '../../observability/metrics';
import { readAtScrape } from './at-scrape';

const NONE: ArchiverFigures = { archives: false, archived: 0, failed: 0, lastArchived: 0, lastFailed: 0 };

const GAUGES = [
  {
    name: 'derms_wal_archiving',
    help: '1 while the database archives its write-ahead log (archive_mode).',
    of: ({ archives }: ArchiverFigures) => (archives ? 1 : 0),
  },
  {
    name: 'derms_wal_last_archived_timestamp_seconds',
    help: 'When the last file of the log was archived; 0 when none was.',
    of: ({ lastArchived }: ArchiverFigures) => lastArchived,
  },
  {
    name: 'derms_wal_last_failed_timestamp_seconds',
    help: 'When a file of the log was last refused by archive_command; 0 when none was.',
    of: ({ lastFailed }: ArchiverFigures) => lastFailed,
  },
] as const;

const COUNTERS = [
  { name: 'derms_wal_archived_total', help: 'Files of the log that were archived.', of: 'archived' },
  { name: 'derms_wal_archive_failures_total', help: 'Refusals of archive_command.', of: 'failed' },
] as const;

/** How the archiving of the database's log goes. */
export function registerArchiverMetrics(
  registry: Registry,
  read: () => Promise<ArchiverFigures>,
  monotonicMs: () => number,
): void {
  const figures = readAtScrape(read, NONE, monotonicMs);
  const registers = [registry];
  for (const { name, help, of } of GAUGES) {
    new Gauge({
      ...{ name, help, registers },
      async collect() {
        this.set(of(await figures()));
      },
    });
  }
  for (const { name, help, of } of COUNTERS) {
    new Counter({
      ...{ name, help, registers },
      async collect() {
        const { [of]: count } = await figures();
        this.reset();
        this.inc(count);
      },
    });
  }
}
