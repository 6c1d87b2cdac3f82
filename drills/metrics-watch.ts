import { setTimeout as sleep } from 'node:timers/promises';
import { readMetricsPage, type MetricsPage } from './metrics-page';

/** What a gauge of the real `/metrics` has shown, each with its time; of several series the least counts. */
export interface GaugeSeen {
  /** When it was first seen at 0; null: never. */
  readonly downAt: string | null;
  /** When it was seen at 1 again after the last 0; null: it never was at 0, or is still. */
  readonly upAgainAt: string | null;
  readonly scrapes: number;
  /** The page could not be had: nobody would have been alerted. */
  readonly failedScrapes: number;
}

export interface MetricsWatch {
  /** The newest page; null while there is none. */
  latest(): MetricsPage | null;
  /** What the gauge shows now; undefined while that is not known. */
  value(): number | undefined;
  seen(): GaugeSeen;
  stop(): Promise<void>;
}

/** Prometheus looks every 15 s or so; we look often enough to see what a short outage leaves. */
const EVERY_MS = 100;

/** Reads the page again and again, with an eye on one gauge. */
export function watchMetrics(url: string, gauge: string): MetricsWatch {
  let page: MetricsPage | null = null;
  let downAt: string | null = null;
  let upAgainAt: string | null = null;
  let scrapes = 0;
  let failedScrapes = 0;
  let stopped = false;

  const look = async (): Promise<void> => {
    scrapes += 1;
    try {
      page = await readMetricsPage(url);
    } catch {
      failedScrapes += 1; // told in the report
      return;
    }
    const value = page.least(gauge);
    const at = new Date().toISOString();
    if (value === 0) {
      downAt ??= at;
      upAgainAt = null;
    } else if (value === 1 && downAt !== null) upAgainAt ??= at;
  };
  const looking = (async () => {
    while (!stopped) {
      await look();
      await sleep(EVERY_MS);
    }
  })();

  return {
    latest: () => page,
    value: () => page?.least(gauge),
    seen: () => ({ downAt, upAgainAt, scrapes, failedScrapes }),
    async stop() {
      stopped = true;
      await looking;
    },
  };
}
