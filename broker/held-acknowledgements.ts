import type { MqttClient } from 'mqtt';

interface Acknowledgement {
  readonly cmd: string;
  readonly messageId?: number;
}
type SendPacket = (packet: Acknowledgement, done?: () => void, ...rest: unknown[]) => void;

const PUBACK = 0x40;
const PUBACK_BYTES = 4;

/**
 * Acknowledgements to the broker that wait until the caller sends them.
 *
 * mqtt.js 5.16 acknowledges a message itself before it takes the next one, and has no public switch for it. So its
 * private `_sendPacket` is wrapped: the PUBACKs it makes are noted instead of sent, and go out in groups, in the order
 * the messages came (MQTT 5 section 4.6). The package is pinned to one version; a test proves that a message which
 * was received and not acknowledged comes again, and fails when an update changes what we rely on.
 */
export class HeldAcknowledgements {
  /** Packet ids in order of arrival; the first belongs to `firstSequence`. */
  private packetIds: number[] = [];
  private firstSequence = 1;

  constructor(private readonly client: MqttClient) {
    const internals = client as unknown as { _sendPacket: SendPacket }; // private in mqtt.js
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
