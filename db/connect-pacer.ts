/** First bound of the random wait, and what is left of it after the first success, ms. */
const FIRST_BOUND_MS = 50;

/**
 * When connections are lost together they must not come back together: replicas whose pools all connect in the same moment
 * are a stampede for what has just come back. After a failure each connection waits a random time, up to a bound that
 * doubles with every failure in a row; successes end that.
 */
export interface ConnectPacer {
  /** How long to wait now, ms. */
  pauseMs(): number;
  succeeded(): void;
  failed(): void;
}

/** `longestMs`: the highest bound; well below the time in which a connection is wanted. */
export function createConnectPacer(longestMs: number, random: () => number): ConnectPacer {
  let boundMs = 0;
  return {
    pauseMs: () => Math.floor(random() * boundMs),
    succeeded() {
      boundMs = boundMs > FIRST_BOUND_MS ? FIRST_BOUND_MS : 0; // the others of the pool still come one by one
    },
    failed() {
      boundMs = Math.min(longestMs, Math.max(FIRST_BOUND_MS, boundMs * 2));
    },
  };
}
