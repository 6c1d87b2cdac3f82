import type { IPublishPacket, MqttClient } from 'mqtt';
import { connectToBroker, type BrokerConnection, type BrokerContext, type BrokerOptions } from './connection';

/**
 * A subscription whose messages are acknowledged to the broker when the caller says so: after the commit.
 *
 * mqtt.js 5.16 acknowledges a message itself before it takes the next one, and has no public switch for it. So its
 * private `_sendPacket` is wrapped: the PUBACKs it makes are noted instead of sent, and go out in groups, in the order
 * the messages came (MQTT 5 section 4.6). The package is pinned to one version; a test proves that a message which
 * was received and not acknowledged comes again, and fails when an update changes what we rely on.
 */
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
  const brake = new Brake(client, () => held.count >= receiveMaximum);
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

/** How often a broker hears from us while we do not read what it sends, ms; it gives up after 1.5 keepalives. */
const SIGN_OF_LIFE_MS = 1_000;

/**
 * Stops reading while too much is unacknowledged. The receive maximum alone does not bound it: Mosquitto 2.0.11 sends
 * as many messages again for every single PUBACK. mqtt.js takes the next packet only when the handler of the last one
 * is done, and so the connection's own flow control reaches the broker.
 */
class Brake {
  private parked: (() => void) | null = null;
  private pinging: NodeJS.Timeout | undefined;

  constructor(
    private readonly client: MqttClient,
    private readonly isFull: () => boolean,
  ) {
    client.on('close', () => {
      this.stop(); // what waits behind the parked packet is dropped with its connection
    });
  }

  /** Goes on with `next`, and so with all behind it, when there is room; never when the connection is lost before. */
  park(next: () => void): void {
    this.parked = next;
    // Neither are answers to a PINGREQ read: the broker gets its sign of life, and mqtt.js is kept from missing one.
    this.pinging = setInterval(() => {
      this.client.sendPing();
      this.client.reschedulePing(true);
    }, SIGN_OF_LIFE_MS);
  }

  release(): void {
    if (this.parked === null || this.isFull()) return;
    const { parked } = this;
    this.stop();
    parked();
  }

  stop(): void {
    clearInterval(this.pinging);
    this.parked = null;
  }
}

interface Acknowledgement {
  readonly cmd: string;
  readonly messageId?: number;
}
type SendPacket = (packet: Acknowledgement, done?: () => void, ...rest: unknown[]) => void;

const PUBACK = 0x40;
const PUBACK_BYTES = 4;

class HeldAcknowledgements {
  /** Packet ids in order of arrival; the first belongs to `firstSequence`. */
  private packetIds: number[] = [];
  private firstSequence = 1;

  constructor(private readonly client: MqttClient) {
    const internals = client as unknown as { _sendPacket: SendPacket }; // private in mqtt.js, see above
    const send = internals._sendPacket.bind(client);
    internals._sendPacket = (packet, done, ...rest) => {
      if (packet.cmd !== 'puback') {
        send(packet, done, ...rest);
        return;
      }
      if (client.connected && packet.messageId !== undefined) this.packetIds.push(packet.messageId);
      done?.();
    };
    client.on('close', () => {
      this.firstSequence += this.packetIds.length;
      this.packetIds = [];
    });
  }

  get count(): number {
    return this.packetIds.length;
  }

  /** Number of the message whose packet is being handled: its PUBACK is made right after. */
  received(qos: number): number {
    return this.firstSequence + this.packetIds.length - (qos === 0 ? 1 : 0);
  }

  /** All in one write, as four bytes each (MQTT 5 section 3.4): success needs neither reason code nor properties. */
  sendThrough(sequence: number): void {
    const count = Math.min(sequence - this.firstSequence + 1, this.packetIds.length);
    if (count <= 0) return;
    const bytes = Buffer.allocUnsafe(count * PUBACK_BYTES);
    this.packetIds.splice(0, count).forEach((packetId, index) => {
      bytes.writeUInt32BE(((PUBACK << 24) | (2 << 16) | packetId) >>> 0, index * PUBACK_BYTES);
    });
    this.firstSequence += count;
    this.client.stream.write(bytes);
  }
}

/** Subscribes in each new session, and again when the broker refused. */
function keepSubscribed(
  { client }: BrokerConnection,
  { filters, host, port }: SubscriptionOptions,
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
        log.info({ mqttHost: host, mqttPort: port, filters }, 'subscribed');
      } else if (client.connected) {
        log.error({ mqttHost: host, mqttPort: port, filters, granted, err }, 'the broker refuses the subscription');
        timer = setTimeout(subscribe, RESUBSCRIBE_MS);
      }
    });
  };
  client.on('connect', ({ sessionPresent }) => {
    // Also into a session that is there: an older program may have left it with other filters.
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
