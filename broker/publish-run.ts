import type { PublishLine, Sender } from './publish-line';

export interface OutgoingMessage {
  /** The caller's name for it, returned in the outcome. */
  readonly key: string;
  readonly topic: string;
  readonly payload: string;
  /** Whole seconds after which the broker forgets it; not sent when < 1. */
  readonly expirySeconds: number;
}

export interface PublishOptions {
  /** Ends the wait: what is not acknowledged by then has failed. */
  readonly signal: AbortSignal;
  /** Asked before each message; false withdraws all that were not sent yet. */
  readonly mayStillPublish: () => boolean;
  /** Most of these messages in flight at once; never more than the connection allows. */
  readonly windowSize?: number;
}

/** Each message is in exactly one of the two. A failed one may still have reached the broker. */
export interface PublishOutcome {
  readonly acknowledged: string[];
  readonly failed: { readonly key: string; readonly reason: string }[];
}

/** Written in one go; small, because what a hung kernel buffer refuses stays in this process until it takes it. */
const SLICE = 64;
const FLUSH_CHECK_MS = 5;
const MAX_EXPIRY_SECONDS = 0xffff_ffff;

/** Sends messages through a window and collects each one's fate; resolves always. */
export function runPublish(
  line: PublishLine,
  messages: readonly OutgoingMessage[],
  options: PublishOptions,
): Promise<PublishOutcome> {
  return new Promise((resolve) => {
    new PublishRun(line, messages, options, resolve).start();
  });
}

class PublishRun implements Sender {
  private readonly outcome: PublishOutcome = { acknowledged: [], failed: [] };
  private readonly inFlight = new Set<OutgoingMessage>();
  private next = 0;
  private scheduled = false;
  private settled = false;

  constructor(
    private readonly line: PublishLine,
    private readonly messages: readonly OutgoingMessage[],
    private readonly options: PublishOptions,
    private readonly resolve: (outcome: PublishOutcome) => void,
  ) {}

  start(): void {
    this.line.join(this);
    this.options.signal.addEventListener('abort', this.abort, { once: true });
    this.send();
  }

  wake(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.send);
  }

  lost(): void {
    this.endWith('the connection was lost');
  }

  private readonly abort = (): void => {
    this.endWith('not acknowledged in time');
  };

  private readonly send = (): void => {
    this.scheduled = false;
    if (this.settled) return;
    if (this.options.signal.aborted) {
      this.abort();
      return;
    }
    if (!this.line.isFlushed) {
      this.scheduled = true;
      setTimeout(this.send, FLUSH_CHECK_MS);
      return;
    }
    this.line.transmit(this.sendSlice, this.options.mayStillPublish);
    this.settleWhenDone();
  };

  private readonly sendSlice = (): void => {
    const { mayStillPublish, windowSize = Infinity } = this.options;
    for (let sent = 0; this.next < this.messages.length; sent += 1) {
      if (this.inFlight.size >= Math.max(1, windowSize)) return; // the next answer wakes us
      if (!this.line.hasRoom) {
        this.line.waitForRoom(this);
        return;
      }
      if (sent === SLICE) {
        this.wake();
        return;
      }
      if (!mayStillPublish()) {
        this.failRest('withdrawn before it was sent');
        return;
      }
      this.sendNext();
    }
  };

  private sendNext(): void {
    const message = this.messages[this.next];
    this.next += 1;
    if (message === undefined) return;
    const fault = faultOf(message);
    if (fault !== null) {
      this.outcome.failed.push({ key: message.key, reason: fault });
      return;
    }
    this.inFlight.add(message);
    const expirySeconds = Math.min(Math.floor(message.expirySeconds), MAX_EXPIRY_SECONDS);
    this.line.send(message.topic, message.payload, expirySeconds, (refusal) => {
      this.answered(message, refusal);
    });
  }

  private answered(message: OutgoingMessage, refusal: Error | null): void {
    if (!this.inFlight.delete(message)) return; // given up before
    if (refusal === null) this.outcome.acknowledged.push(message.key);
    else this.outcome.failed.push({ key: message.key, reason: `refused by the broker: ${refusal.message}` });
    // Behind the others that wait, so that a large plan does not keep a small one from the line.
    if (this.next < this.messages.length) this.line.waitForRoom(this);
    else this.settleWhenDone();
  }

  private failRest(reason: string): void {
    for (const { key } of this.messages.slice(this.next)) this.outcome.failed.push({ key, reason });
    this.next = this.messages.length;
  }

  private endWith(reason: string): void {
    for (const { key } of this.inFlight) this.outcome.failed.push({ key, reason });
    this.inFlight.clear();
    this.failRest(reason);
    this.settleWhenDone();
  }

  private settleWhenDone(): void {
    if (this.settled || this.next < this.messages.length || this.inFlight.size > 0) return;
    this.settled = true;
    this.line.leave(this);
    this.options.signal.removeEventListener('abort', this.abort);
    this.resolve(this.outcome);
  }
}

/** A wildcard or an empty topic would make the broker end the connection under everybody's messages. */
function faultOf({ topic, expirySeconds }: OutgoingMessage): string | null {
  if (topic === '' || /[+#]/.test(topic) || topic.includes('\0')) return 'the topic cannot be published to';
  return expirySeconds < 1 ? 'expired before it was sent' : null;
}
