import type { BrokerOptions } from '../../broker/pair';
import { openPairPublisher } from '../../broker/pair-publisher';
import { openPairSubscription } from '../../broker/pair-subscription';
import type { Logger } from '../../observability/logger';
import type { CanaryProbe } from '../canary';

const EVERY_MS = 20;
/** Longer than a broker that hangs stays unnoticed: then a message fails because of that, and not of its wait. */
const ACKNOWLEDGED_WITHIN_MS = 4_000;
const HEARD_WITHIN_MS = 5_000;
const EXPIRY_SECONDS = 600;

export interface BrokerCanary extends CanaryProbe {
  /** How many brokers it is connected to. */
  brokersThere(): number;
}

/**
 * Publishes as setpoints are published, at both brokers, and listens as the ingest does: what was acknowledged must have
 * been heard.
 */
export function brokerCanary(
  broker: BrokerOptions & { readonly prefix: string },
  runId: string,
  log: Logger,
): BrokerCanary {
  const topic = `${broker.prefix}/drill/${runId}`;
  const heard = new Set<number>();
  const publisher = openPairPublisher({ ...broker, clientId: `derms-drill-${runId}` }, { log });
  const ears = openPairSubscription(
    {
      ...broker,
      clientId: `derms-drill-${runId}-ears`,
      filters: [topic],
      sessionExpirySeconds: EXPIRY_SECONDS,
      receiveMaximum: 1_000,
    },
    (_topic, payload, sequence) => {
      heard.add(Number(payload.toString()));
      ears.acknowledgeThrough(sequence);
    },
    { log },
  );
  return {
    everyMs: EVERY_MS,
    brokersThere: () => publisher.brokers.filter((each) => each.publisher.connected).length,
    async write(seq) {
      if (!ears.subscribed) throw new Error('the listener is not subscribed');
      const message = { key: String(seq), topic, payload: String(seq), expirySeconds: EXPIRY_SECONDS };
      const signal = AbortSignal.timeout(ACKNOWLEDGED_WITHIN_MS);
      const { failed } = await publisher.publish([message], { signal, mayStillPublish: () => true });
      if (failed[0] !== undefined) throw new Error(failed[0].reason);
    },
    read: null,
    async missing(acknowledged) {
      const until = performance.now() + HEARD_WITHIN_MS;
      const unheard = (): number[] => acknowledged.filter((seq) => !heard.has(seq));
      while (unheard().length > 0 && performance.now() < until) await new Promise((next) => setTimeout(next, EVERY_MS));
      return unheard();
    },
    async close() {
      await publisher.clearRetained(topic).catch(() => undefined); // it expires by itself
      await Promise.all([publisher.close(), ears.close()]);
    },
  };
}
