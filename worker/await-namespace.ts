import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../observability/logger';
import type { TemporalConnection } from '../temporal/client-connection';
import { prepareNamespace } from '../temporal/prepare-namespace';

const LOOK_EVERY_MS = 1_000;
/** Looks between two log lines about the same fault. */
const SAY_EVERY = 30;

/**
 * Resolves when the namespace is there, made by us where it was not: a worker cannot be made before, and one that runs
 * when an empty server takes the place of its own ends, is started again, and waits here.
 */
export async function untilNamespaceIsThere(
  connection: TemporalConnection,
  namespace: string,
  log: Logger,
): Promise<void> {
  for (let look = 0; ; look += 1) {
    try {
      await prepareNamespace(connection, namespace, sayWhatWasMade(log));
      return;
    } catch (err) {
      if (look % SAY_EVERY === 0) log.warn({ err, namespace }, 'waiting for the namespace in Temporal');
    }
    await sleep(LOOK_EVERY_MS);
  }
}

/** A person may have meant another server. */
export const sayWhatWasMade =
  (log: Logger) =>
  (made: string): void => {
    log.warn({ made }, 'Temporal was empty: what it lacked is made');
  };
