import type { NativeConnection, Worker } from '@temporalio/worker';
import type { Logger } from '../observability/logger';
import type { TemporalAccess } from './access';
import { connectNatively } from './connect-natively';

/** Far below the time that a renewed certificate and its predecessor are both good for, ms. */
const EVERY_MS = 10_000;

/**
 * Looks at certificate and API key, each so often, and gives the worker a new connection or its connection the new key.
 * A poll that waits (a minute at most) ends on the connection it began on, the next one takes the new one; no task is lost by
 * it. Returns what stops it and closes the last connection.
 */
export function renewConnection(
  worker: Worker,
  first: NativeConnection,
  { access, log, everyMs = EVERY_MS }: { access: TemporalAccess; log: Logger; everyMs?: number },
): () => Promise<void> {
  let connection = first;
  let material = access.tls?.material();
  let key = access.apiKey?.();
  const renew = async (): Promise<void> => {
    const nextMaterial = access.tls?.material();
    const nextKey = access.apiKey?.();
    if (nextMaterial !== material) {
      const next = await connectNatively(access);
      const before = connection;
      worker.connection = next;
      connection = next;
      await before.close();
      log.info({ temporalAddress: access.address }, 'connected to Temporal with the renewed certificate');
    } else if (nextKey !== undefined && nextKey !== key) {
      await connection.setApiKey(nextKey);
      log.info({ temporalAddress: access.address }, 'the API key for Temporal was renewed');
    }
    material = nextMaterial;
    key = nextKey;
  };
  let renewing = Promise.resolve();
  const timer = setInterval(() => {
    renewing = renewing.then(renew).catch((err: unknown) => {
      log.error(
        { err, temporalAddress: access.address },
        'the renewed credentials for Temporal do not work; the ones before stay',
      );
    });
  }, everyMs);
  return async () => {
    clearInterval(timer);
    await renewing;
    await connection.close();
  };
}
