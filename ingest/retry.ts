import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../observability/logger';

export interface RetryContext {
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly onFailure: () => void;
}

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;
/** An outage is told at once and then about each minute. */
const TELL_EACH = 15;

/**
 * Tries until it works, with growing, jittered pauses; tells the failures and the recovery.
 *
 * @throws the signal's reason once it is aborted.
 */
export async function untilItWorks<T>(work: () => Promise<T>, { signal, log, onFailure }: RetryContext): Promise<T> {
  for (let failures = 0; ; failures += 1) {
    signal.throwIfAborted();
    try {
      const result = await work();
      if (failures > 0) log.info({ failures }, 'Postgres takes telemetry again');
      return result;
    } catch (err) {
      signal.throwIfAborted();
      onFailure();
      if (failures % TELL_EACH === 0)
        log.warn({ err, failures }, 'Postgres takes no telemetry: it is held back until it does');
      await sleep(pauseMs(failures), undefined, { signal });
    }
  }
}

/** Doubles up to the longest; between half of it and all of it, so that processes do not come back in step. */
const pauseMs = (failures: number): number =>
  Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures) * (0.5 + Math.random() / 2);
