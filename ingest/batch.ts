import type { Measurement } from '../contracts/measurement';
import type { Telemetry } from '../contracts/telemetry';
import type { KnownDevice } from './known-device';

/** A message with what is kept of it for the sample, should it be refused later on. */
export interface ReceivedSample {
  readonly telemetry: Telemetry;
  readonly topic: string;
  readonly payload: Buffer;
  /** Set when the batch is committed; null while the device is not in the registry. */
  device: KnownDevice | null;
}

export interface ReceivedMeasurement {
  readonly measurement: Measurement;
  readonly topic: string;
  readonly payload: Buffer;
}

/** Messages that are committed, and then acknowledged, together. */
export class Batch {
  readonly samples: ReceivedSample[] = [];
  readonly measurements: ReceivedMeasurement[] = [];
  readonly received = { telemetry: 0, measurement: 0, other: 0 };
  reusedMessageIds = 0;
  /** Of the newest message: acknowledging it acknowledges all. */
  lastSequence = 0;
  /** Monotonic, ms. */
  readonly openedAt = performance.now();
  newestAt = this.openedAt;

  get size(): number {
    return this.received.telemetry + this.received.measurement + this.received.other;
  }

  /** Since its first message came. */
  get waitedMs(): number {
    return performance.now() - this.openedAt;
  }

  /**
   * How long its newest message has been in our hands. This is what is taken off the time of arrival: taking off more
   * would let the newest seem to have come before they were sent, and their device's clock to be ahead. Older ones then
   * seem to have been under way for longer than they were, which no least delay remembers.
   */
  get heldMs(): number {
    return performance.now() - this.newestAt;
  }
}
