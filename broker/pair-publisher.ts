import { DermsError } from '../domain/errors';
import type { BrokerContext } from './connection';
import { brokersOf, type BrokerOptions } from './pair';
import {
  openSetpointPublisher,
  type OutgoingMessage,
  type PublisherContext,
  type PublishOptions,
  type PublishOutcome,
  type SetpointPublisher,
} from './setpoint-publisher';

export interface PairPublisher extends SetpointPublisher {
  /** One per broker, the primary first. */
  readonly brokers: readonly BrokerPublisher[];
}

export interface BrokerPublisher {
  /** `host:port`, for messages to people. */
  readonly name: string;
  readonly options: BrokerOptions;
  readonly publisher: SetpointPublisher;
}

/**
 * Publishes at every broker of a pair that is there, so that a setpoint reaches its device at whichever of them that is,
 * and the standby retains what the primary does.
 *
 * A message counts as acknowledged when every broker that was there at the beginning has acknowledged it: the device may
 * be at the one that has not. One that is away holds up nobody; its return is a new session.
 */
export function openPairPublisher(options: BrokerOptions, context: PublisherContext & BrokerContext): PairPublisher {
  const brokers = brokersOf(options).map((broker) => ({
    name: `${broker.host}:${String(broker.port)}`,
    options: broker,
    publisher: openSetpointPublisher(broker, context),
  }));
  const there = (): readonly SetpointPublisher[] =>
    brokers.filter(({ publisher }) => publisher.connected).map(({ publisher }) => publisher);
  return {
    brokers,
    get session() {
      return brokers.reduce((sum, { publisher }) => sum + publisher.session, 0);
    },
    get connected() {
      return there().length > 0;
    },
    async publish(messages, publishOptions) {
      const publishers = there();
      if (publishers.length === 0) {
        const names = brokers.map(({ name }) => name).join(' or ');
        throw new DermsError('BROKER_UNAVAILABLE', `There is no connection to the broker ${names}.`);
      }
      return inAll(await Promise.all(publishers.map((each) => atOne(each, messages, publishOptions))), messages);
    },
    async clearRetained(topic) {
      const publishers = there();
      if (publishers.length === 0)
        throw new DermsError('BROKER_UNAVAILABLE', `${topic}: there is no connection to a broker`);
      await Promise.all(publishers.map((each) => each.clearRetained(topic)));
    },
    async close() {
      await Promise.all(brokers.map(({ publisher }) => publisher.close()));
    },
  };
}

/** One that is lost between being asked for and publishing fails its messages, like one that is lost a moment later. */
async function atOne(
  publisher: SetpointPublisher,
  messages: readonly OutgoingMessage[],
  options: PublishOptions,
): Promise<PublishOutcome> {
  try {
    return await publisher.publish(messages, options);
  } catch (error) {
    if (!(error instanceof DermsError)) throw error;
    return { acknowledged: [], failed: messages.map(({ key }) => ({ key, reason: error.message })) };
  }
}

function inAll(outcomes: readonly PublishOutcome[], messages: readonly OutgoingMessage[]): PublishOutcome {
  const [only] = outcomes;
  if (outcomes.length === 1 && only !== undefined) return only;
  const reasons = new Map(outcomes.flatMap(({ failed }) => failed).map(({ key, reason }) => [key, reason]));
  return {
    acknowledged: messages.map(({ key }) => key).filter((key) => !reasons.has(key)),
    failed: [...reasons].map(([key, reason]) => ({ key, reason })),
  };
}
