import { registerArchiverMetrics } from '../../../api/health/archiver-metrics';
import { Registry } from '../../../observability/metrics';

const figures = async (registry: Registry): Promise<string[]> =>
  (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('the metrics of the archived log', () => {
  it('are there from the first scrape on, before anything is known', async () => {
    const registry = new Registry();
    registerArchiverMetrics(
      registry,
      () => Promise.reject(new Error('gone')),
      () => 0,
    );
    expect(await figures(registry)).toEqual([
      'derms_wal_archiving 0',
      'derms_wal_last_archived_timestamp_seconds 0',
      'derms_wal_last_failed_timestamp_seconds 0',
      'derms_wal_archived_total 0',
      'derms_wal_archive_failures_total 0',
    ]);
  });

  it('say what the server says', async () => {
    const registry = new Registry();
    const said = { archives: true, archived: 12, failed: 3, lastArchived: 1_700_000_000, lastFailed: 1_600_000_000 };
    registerArchiverMetrics(
      registry,
      () => Promise.resolve(said),
      () => 0,
    );
    expect(await figures(registry)).toEqual([
      'derms_wal_archiving 1',
      'derms_wal_last_archived_timestamp_seconds 1700000000',
      'derms_wal_last_failed_timestamp_seconds 1600000000',
      'derms_wal_archived_total 12',
      'derms_wal_archive_failures_total 3',
    ]);
  });
});
