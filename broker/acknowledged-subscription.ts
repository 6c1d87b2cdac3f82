import type { IPublishPacket, MqttClient } from 'mqtt';
import { connectToBroker, type BrokerConnection, type BrokerContext, type BrokerOptions } from './connection';
import { HeldAcknowledgements } from './held-acknowledgements';
import { ReadingBrake } from './reading-brake';

/** A subscription whose messages are acknowledged to the broker when the caller says so: after the commit. */
export interface AcknowledgedSubscription {
  readonly connected: boolean;
  /** The broker has granted the subscription in the present session. */
  readonly subscribed: boolean;
  /** Messages received and not acknowledged yet. */
  readonly unacknowledged: number;
  /** Acknowledges the message with this number and all before it; those of a lost connection are forgotten. */
  acknowledgeThrough(sequence: number): void;
  /** Disconnects; the broker keeps the session with all that was not acknowledged. */
  close(): Promise<void>;
}

export interface SubscriptionOptions extends BrokerOptions {
  readonly filters: readonly string[];
  /** Removed from the session, should an earlier program have left them there. */
  readonly formerFilters?: readonly string[];
  /** The broker keeps the session and its queue for so long while we are away, s. */
  readonly sessionExpirySeconds: number;
  /** Bound on what is in flight: the back-pressure. QoS 0 messages are not bounded by it. */
  readonly receiveMaximum: number;
}

/**
 * `sequence` rises by one with each message that wants an acknowledgement; a QoS 0 message, which wants none, comes
 * with the number of the one before it.
 */
export type MessageHandler = (topic: string, payload: Buffer, sequence: number, qos: 0 | 1 | 2) => void;

const SIGN_OF_LIFE_EACH = 256;
/** Wait before a refused subscription is tried again, ms. */
const RESUBSCRIBE_MS = 5_000;

/** Connects, subscribes with QoS 1, and hands over every message that comes. Returns at once. */
export function openAcknowledgedSubscription(
  options: SubscriptionOptions,
  onMessage: MessageHandler,
  context: BrokerContext,
): AcknowledgedSubscription {
  const { sessionExpirySeconds, receiveMaximum } = options;
  const connection = connectToBroker(options, { sessionExpirySeconds, receiveMaximum }, context);
  const { client } = connection;
  const held = new HeldAcknowledgements(client);
  const brake = new ReadingBrake(client, () => held.count >= receiveMaximum);
  let received = 0;
  const take: MqttClient['handleMessage'] = (packet, done) => {
    // Messages that keep coming are a sign of life, which mqtt.js does not see: it gives the PINGRESP one second, and
    // the answer stands behind all that the broker has sent before it.
    received += 1;
    if (received % SIGN_OF_LIFE_EACH === 0) client.reschedulePing();
    // Left in the parser after its connection was lost: the broker will send it again, under another packet id.
    if (client.connected) onMessage(packet.topic, payloadOf(packet), held.received(packet.qos), packet.qos);
    done();
  };
  client.handleMessage = (packet, done) => {
    if (held.count < receiveMaximum) take(packet, done);
    else brake.park(() => take(packet, done));
  };
  const subscription = keepSubscribed(connection, options, context);
  return {
    get connected() {
      return client.connected;
    },
    get subscribed() {
      return subscription.granted;
    },
    get unacknowledged() {
      return held.count;
    },
    acknowledgeThrough: (sequence) => {
      held.sendThrough(sequence);
      brake.release();
    },
    close: () => {
      subscription.stop();
      brake.stop();
      return connection.close();
    },
  };
}

/** Subscribes in each new session, and again when the broker refused. */
function keepSubscribed(
  { client }: BrokerConnection,
  { filters, formerFilters = [], host, port }: SubscriptionOptions,
  { log }: BrokerContext,
): { readonly granted: boolean; stop(): void } {
  const state = { granted: false, stop: () => clearTimeout(timer) };
  let timer: NodeJS.Timeout | undefined;
  const subscribe = (): void => {
    clearTimeout(timer);
    client.subscribe([...filters], { qos: 1 }, (err, granted = []) => {
      // With QoS 0 the broker forgets a message when it has sent it.
      if (err === null && granted.every(({ qos }) => qos === 1)) {
        state.granted = true;
        if (formerFilters.length > 0) client.unsubscribe([...formerFilters]);
        log.info({ mqttHost: host, mqttPort: port, filters }, 'subscribed');
      } else if (client.connected) {
        log.error({ mqttHost: host, mqttPort: port, filters, granted, err }, 'the broker refuses the subscription');
        timer = setTimeout(subscribe, RESUBSCRIBE_MS);
      }
    });
  };
  client.on('connect', ({ sessionPresent }) => {
    // Also into a session that is there: an earlier program may have left it with other filters.
    state.granted = state.granted && sessionPresent;
    subscribe();
  });
  client.on('close', () => {
    clearTimeout(timer);
  });
  return state;
}

const payloadOf = ({ payload }: IPublishPacket): Buffer =>
  typeof payload === 'string' ? Buffer.from(payload) : payload;
