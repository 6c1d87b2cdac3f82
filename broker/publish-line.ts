import { ErrorWithReasonCode, type MqttClient } from 'mqtt';

/** Waits for a free place in the window; woken once. */
export interface Sender {
  wake(): void;
  /** The connection is gone for good: what is in flight will never be answered. */
  lost(): void;
}

/** Not waiting for each PUBACK before the next message makes 10,000 setpoints a matter of 0.25 s; more gains nothing. */
const MOST_IN_FLIGHT = 2_000;
/** Making a slice of packets takes a millisecond; longer means that the process did not run, ms. */
const STALL_MS = 20;

/**
 * One connection of a publisher, from its first message to its loss, and the window that all its senders share: the
 * broker counts what a client has in flight (its receive maximum), not what each of its callers has. What is not in
 * the window was never given to the client library, so nothing waits in a queue that we cannot withdraw from.
 */
export class PublishLine {
  private readonly limit: number;
  private inFlight = 0;
  private readonly waiting = new Set<Sender>();
  private readonly senders = new Set<Sender>();
  isLost = false;

  constructor(private readonly client: MqttClient) {
    this.limit = Math.min(MOST_IN_FLIGHT, client.serverProperties?.receiveMaximum ?? MOST_IN_FLIGHT);
  }

  /** The kernel took all that was written: nothing lies in this process that would go out after it had hung. */
  get isFlushed(): boolean {
    return this.client.stream.writableLength === 0;
  }

  get hasRoom(): boolean {
    return this.inFlight < this.limit;
  }

  join(sender: Sender): void {
    this.senders.add(sender);
  }

  leave(sender: Sender): void {
    this.senders.delete(sender);
    this.waiting.delete(sender);
    this.wakeNext(); // it may have been woken for a place that it did not take
  }

  waitForRoom(sender: Sender): void {
    this.waiting.add(sender);
  }

  /**
   * Hands over to the kernel, in one go, what `fill` sends. A process that was stopped between asking whether it may
   * and writing would publish something old when it goes on: after a stall it asks again, and rather gives up the
   * connection, with what waits in it, than to write.
   */
  transmit(fill: () => void, mayStillPublish: () => boolean): void {
    const { stream } = this.client;
    const startedAt = performance.now();
    stream.cork();
    fill();
    // After the ticks in which mqtt.js uncorks the packets that it wrote: ours is what lets them go.
    process.nextTick(() => {
      if (performance.now() - startedAt > STALL_MS && !mayStillPublish()) stream.destroy();
      else stream.uncork();
    });
  }

  /** Retained, QoS 1. `answered` comes with the PUBACK, and never when the connection is lost. */
  send(topic: string, payload: string, expirySeconds: number, answered: (refusal: Error | null) => void): void {
    this.inFlight += 1;
    const properties = { messageExpiryInterval: expirySeconds };
    this.client.publish(topic, payload, { qos: 1, retain: true, properties }, (refusal) => {
      if (refusal instanceof Error && !(refusal instanceof ErrorWithReasonCode)) return; // lost: `lose` tells
      this.inFlight -= 1;
      answered(refusal ?? null);
      this.wakeNext();
    });
  }

  lose(): void {
    this.isLost = true;
    for (const sender of [...this.senders]) sender.lost();
  }

  private wakeNext(): void {
    const [next] = this.waiting;
    if (next === undefined) return;
    this.waiting.delete(next);
    next.wake();
  }
}
