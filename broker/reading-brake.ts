import type { MqttClient } from 'mqtt';

/** How often a broker hears from us while we do not read what it sends, ms; it gives up after 1.5 keepalives. */
const SIGN_OF_LIFE_MS = 1_000;

/**
 * Stops reading while too much is unacknowledged. The receive maximum alone does not bound it: Mosquitto 2.0.11 sends
 * as many messages again for every single PUBACK. mqtt.js takes the next packet only when the handler of the last one
 * is done, and so the connection's own flow control reaches the broker.
 */
export class ReadingBrake {
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
