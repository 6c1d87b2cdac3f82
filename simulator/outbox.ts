/** A message on its way to the broker. */
export interface OutgoingMessage {
  readonly topic: string;
  readonly payload: string;
  readonly kind: 'telemetry' | 'measurement';
  /** The device, or the feeder whose meter it is. */
  readonly sender: string;
  readonly timestampMs: number;
}

/**
 * What waits while the broker is away, oldest first but for what `newestFirst` puts in front. Bounded: when it is full the oldest goes, since a fresh reading is
 * worth more than an old one, and is counted.
 */
export class Outbox {
  private messages: OutgoingMessage[] = [];
  private head = 0;
  private first: OutgoingMessage[] = [];
  dropped = 0;

  constructor(private readonly limit: number) {}

  get size(): number {
    return this.first.length + this.messages.length - this.head;
  }

  put(message: OutgoingMessage): void {
    this.messages.push(message);
    if (this.size <= this.limit) return;
    if (this.head === this.messages.length - 1) this.first.shift();
    else this.head += 1;
    this.dropped += 1;
    this.compact();
  }

  /** Puts the newest of each topic before everything else: after a silence the present is wanted, the past can wait. */
  newestFirst(): void {
    const waiting = [...this.first, ...this.messages.slice(this.head)];
    waiting.sort((one, other) => one.timestampMs - other.timestampMs);
    const newest = new Set(new Map(waiting.map((message) => [message.topic, message])).values());
    this.first = [...newest];
    this.messages = waiting.filter((message) => !newest.has(message));
    this.head = 0;
  }

  take(): OutgoingMessage | undefined {
    const urgent = this.first.shift();
    if (urgent !== undefined) return urgent;
    const message = this.messages[this.head];
    if (message === undefined) return undefined;
    this.head += 1;
    this.compact();
    return message;
  }

  /** Moves the rest to the front once half of the list is gone: constant time per message on average. */
  private compact(): void {
    if (this.head < 1_000 && this.head < this.messages.length) return;
    if (this.head * 2 < this.messages.length) return;
    this.messages = this.messages.slice(this.head);
    this.head = 0;
  }
}
