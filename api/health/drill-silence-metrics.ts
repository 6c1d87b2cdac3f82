import type { DrillSilence } from '../../db/drill-silences';
import { DRILL_SILENCE_SECONDS } from '../../domain/drill-silence';
import { Gauge, type Registry } from '../../observability/metrics';
import { readAtScrape } from './at-scrape';

/**
 * Until when the alerts of a part that is being broken on purpose keep quiet. A time rather than a state: a drill that
 * takes the database away is read last before it does, and the quiet ends all the same.
 */
export function registerDrillSilenceMetrics(
  registry: Registry,
  read: () => Promise<readonly DrillSilence[]>,
  monotonicMs: () => number,
): void {
  const silences = readAtScrape<readonly DrillSilence[]>(read, [], monotonicMs);
  new Gauge({
    name: 'derms_drill_silence_until_timestamp_seconds',
    help: 'A drill is under way, and its own alerts keep quiet until then; 0 when there is none.',
    labelNames: ['job'],
    registers: [registry],
    async collect() {
      const found = await silences();
      for (const job of Object.keys(DRILL_SILENCE_SECONDS))
        this.set({ job }, found.find(({ jobName }) => jobName === job)?.until ?? 0);
    },
  });
}
