import { registerRestoreMetrics } from '../../../api/health/restore-metrics';
import { Registry } from '../../../observability/metrics';

const figures = async (registry: Registry): Promise<string[]> =>
  (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('the metrics of restores', () => {
  it('are 0 from the first scrape on, and then those of the last drill, also while the database is away', async () => {
    const registry = new Registry();
    const answers = [null, { at: 1_700_000_000, rtoSeconds: 41.5, rpoSeconds: 9_000 }];
    let scrape = 0;
    const read = () => {
      const answer = answers[scrape];
      return answer === undefined ? Promise.reject(new Error('gone')) : Promise.resolve(answer);
    };
    registerRestoreMetrics(registry, read, () => scrape * 10_000);
    expect(await figures(registry)).toEqual([
      'derms_restore_last_drill_timestamp_seconds 0',
      'derms_restore_rto_seconds 0',
      'derms_restore_rpo_seconds 0',
    ]);
    const last = [
      'derms_restore_last_drill_timestamp_seconds 1700000000',
      'derms_restore_rto_seconds 41.5',
      'derms_restore_rpo_seconds 9000',
    ];
    scrape = 1;
    expect(await figures(registry)).toEqual(last);
    scrape = 2;
    expect(await figures(registry)).toEqual(last);
  });
});
