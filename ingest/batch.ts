import type { Measurement } from '../contracts/measurement';
import type { Telemetry } from '../contracts/telemetry';
import type { KnownDevice } from './device-cache';

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

  get size(): number {
    return this.received.telemetry + this.received.measurement + this.received.other;
  }

  get waitedMs(): number {
    return performance.now() - this.openedAt;
  }
}
