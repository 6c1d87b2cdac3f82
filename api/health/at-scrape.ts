/** A scrape waits no longer than this for figures of Postgres', ms: its own health is on the same page. */
const WITHIN_MS = 300;
/** The metrics of one scrape are read together, ms. */
const FRESH_MS = 1_000;

/**
 * Figures that are read from Postgres when somebody scrapes, so that a restarted process forgets nothing. While Postgres
 * does not answer, or not in time, they stay what they were; `derms_db_up` says so. Never rejects; while one question
 * hangs no other is asked.
 */
export function readAtScrape<T>(read: () => Promise<T>, none: T, monotonicMs: () => number): () => Promise<T> {
  let last = none;
  let reading: Promise<void> | null = null;
  let readAtMs = -Infinity;
  const begin = (): Promise<void> => {
    readAtMs = monotonicMs();
    const begun = read()
      .then(
        (figures) => {
          last = figures;
        },
        () => undefined, // the database is away, which `derms_db_up` says
      )
      .finally(() => {
        reading = null;
      });
    return begun;
  };
  return async () => {
    if (reading === null && monotonicMs() - readAtMs >= FRESH_MS) reading = begin();
    if (reading !== null) await Promise.race([reading, after(WITHIN_MS)]);
    return last;
  };
}

const after = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
