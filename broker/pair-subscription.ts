import {
  openAcknowledgedSubscription,
  type AcknowledgedSubscription,
  type MessageHandler,
  type SubscriptionOptions,
} from './acknowledged-subscription';
import type { BrokerContext } from './connection';
import { brokersOf } from './pair';

/**
 * A subscription at each broker of a pair, with one sequence over both: whichever of them a device speaks to, its
 * messages come here, and are acknowledged to the broker that they came from. `receiveMaximum` holds for each.
 *
 * One broker alone is subscribed to directly.
 */
export function openPairSubscription(
  options: SubscriptionOptions,
  onMessage: MessageHandler,
  context: BrokerContext,
): AcknowledgedSubscription {
  const [first, second] = brokersOf(options);
  if (second === undefined) return openAcknowledgedSubscription(first, onMessage, context);
  let last = 0;
  const sides = [first, second].map((broker) => {
    const numbers = new SequenceNumbers();
    const subscription = openAcknowledgedSubscription(
      broker,
      (topic, payload, sequence, qos) => {
        if (qos !== 0) {
          last += 1;
          numbers.add(last, sequence);
        }
        onMessage(topic, payload, last, qos);
      },
      context,
    );
    return { subscription, numbers };
  });
  return {
    get connected() {
      return sides.some(({ subscription }) => subscription.connected);
    },
    get subscribed() {
      return sides.some(({ subscription }) => subscription.subscribed);
    },
    get unacknowledged() {
      return sides.reduce((sum, { subscription }) => sum + subscription.unacknowledged, 0);
    },
    acknowledgeThrough: (sequence) => {
      for (const { subscription, numbers } of sides) {
        const own = numbers.takeThrough(sequence);
        if (own !== null) subscription.acknowledgeThrough(own);
      }
    },
    close: async () => {
      await Promise.all(sides.map(({ subscription }) => subscription.close()));
    },
  };
}

/** Of the messages of one broker that are not acknowledged: their numbers over both, and at that broker; both rise. */
class SequenceNumbers {
  private over: number[] = [];
  private own: number[] = [];

  add(over: number, own: number): void {
    this.over.push(over);
    this.own.push(own);
  }

  /** The broker's own number of the last message up to this one; null when there is none. */
  takeThrough(over: number): number | null {
    let count = 0;
    while (count < this.over.length && (this.over[count] ?? Infinity) <= over) count += 1;
    const last = this.own[count - 1] ?? null;
    this.over = this.over.slice(count);
    this.own = this.own.slice(count);
    return last;
  }
}
