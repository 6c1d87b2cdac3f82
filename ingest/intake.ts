import { isRefusal, refuse, type Refusal } from '../contracts/envelope';
import { parseMeasurement } from '../contracts/measurement';
import { parseTelemetry } from '../contracts/telemetry';
import { Batch } from './batch';
import { DeviceAllowance, type AllowanceLimits } from './device-allowance';
import type { Refusals } from './refusals';
import { ReusedMessageIds } from './reused-message-ids';

export interface IntakeOptions {
  /** `MQTT_TOPIC_PREFIX`. */
  readonly topicPrefix: string;
  readonly maxPayloadBytes: number;
  readonly maxAgeMs: number;
  readonly batchRows: number;
  readonly batchWaitMs: number;
  readonly deviceAllowance: AllowanceLimits;
  /** Messages with QoS 0, which the broker does not hold back, are dropped while so many wait. */
  readonly mostWaiting: number;
  readonly onDropped: () => void;
}

/**
 * Takes messages apart as they come and gathers them into batches. The hottest place we have: no promise, closure,
 * log line or metric per message.
 */
export class Intake {
  private readonly window: { nowMs: number; readonly maxPayloadBytes: number; readonly maxAgeMs: number };
  private readonly telemetryTopic: string;
  private readonly metersTopic: string;
  private readonly reusedMessageIds = new ReusedMessageIds();
  private readonly allowance: DeviceAllowance;
  private readonly full: Batch[] = [];
  private open: Batch | null = null;
  private waiting = 0;
  private closed = false;
  private wake: (() => void) | null = null;

  constructor(
    private readonly options: IntakeOptions,
    private readonly refusals: Refusals,
  ) {
    this.window = { nowMs: 0, maxPayloadBytes: options.maxPayloadBytes, maxAgeMs: options.maxAgeMs };
    this.allowance = new DeviceAllowance(options.deviceAllowance);
    this.telemetryTopic = `${options.topicPrefix}/telemetry/`;
    this.metersTopic = `${options.topicPrefix}/meters/`;
  }

  receive(topic: string, payload: Buffer, sequence: number, qos: number): void {
    if (this.closed) return;
    if (qos === 0 && this.waiting >= this.options.mostWaiting) {
      this.options.onDropped();
      return;
    }
    const batch = (this.open ??= new Batch());
    this.window.nowMs = Date.now();
    if (!this.allowance.take(topic, this.window.nowMs)) this.receiveTooMany(batch, topic, payload);
    else if (topic.startsWith(this.telemetryTopic)) this.receiveTelemetry(batch, topic, payload);
    else if (topic.startsWith(this.metersTopic)) this.receiveMeasurement(batch, topic, payload);
    else this.receiveOther(batch, topic, payload);
    batch.lastSequence = sequence;
    batch.newestAt = performance.now();
    this.waiting += 1;
    if (batch.size >= this.options.batchRows) {
      this.full.push(batch);
      this.open = null;
    }
    if (this.wake !== null && (this.open === null || batch.size === 1)) this.wake();
  }

  /** The next batch: full, or as old as a batch may get. null when the intake is closed and all was handed out. */
  async next(): Promise<Batch | null> {
    for (;;) {
      const full = this.full.shift();
      if (full !== undefined) return this.handOut(full);
      if (this.open !== null && (this.closed || this.open.waitedMs >= this.options.batchWaitMs)) {
        const batch = this.open;
        this.open = null;
        return this.handOut(batch);
      }
      if (this.closed) return null;
      await this.somethingNew();
    }
  }

  /** Takes no more; what is in hand is handed out still. */
  close(): void {
    this.closed = true;
    this.wake?.();
  }

  private handOut(batch: Batch): Batch {
    this.waiting -= batch.size;
    return batch;
  }

  /** Resolves at the first message of a batch, when a batch is full, and when the open one has waited long enough. */
  private somethingNew(): Promise<void> {
    const leftMs = this.open === null ? null : Math.max(0, this.options.batchWaitMs - this.open.waitedMs);
    return new Promise((resolve) => {
      const timer = leftMs === null ? undefined : setTimeout(() => this.wake?.(), leftMs);
      this.wake = () => {
        clearTimeout(timer);
        this.wake = null;
        resolve();
      };
    });
  }

  private receiveTelemetry(batch: Batch, topic: string, payload: Buffer): void {
    batch.received.telemetry += 1;
    const telemetry = parseTelemetry(topic.slice(this.telemetryTopic.length), payload, this.window);
    if (isRefusal(telemetry)) {
      this.refusals.note(telemetry, topic, payload);
      return;
    }
    if (this.reusedMessageIds.isReused(telemetry.messageId, telemetry.timestampMs)) batch.reusedMessageIds += 1;
    batch.samples.push({ telemetry, topic, payload, device: null });
  }

  private receiveMeasurement(batch: Batch, topic: string, payload: Buffer): void {
    batch.received.measurement += 1;
    const measurement = parseMeasurement(topic.slice(this.metersTopic.length), payload, this.window);
    if (isRefusal(measurement)) {
      this.refusals.note(measurement, topic, payload);
      return;
    }
    if (this.reusedMessageIds.isReused(measurement.messageId, measurement.timestampMs)) batch.reusedMessageIds += 1;
    batch.measurements.push({ measurement, topic, payload });
  }

  /** Not even looked into: a flood costs us as little as can be, and the others nothing but its way through the broker. */
  private receiveTooMany(batch: Batch, topic: string, payload: Buffer): void {
    if (topic.startsWith(this.telemetryTopic)) batch.received.telemetry += 1;
    else if (topic.startsWith(this.metersTopic)) batch.received.measurement += 1;
    else batch.received.other += 1;
    this.refusals.note(TOO_MANY, topic, payload);
  }

  private receiveOther(batch: Batch, topic: string, payload: Buffer): void {
    batch.received.other += 1;
    this.refusals.note(UNKNOWN_TOPIC, topic, payload);
  }
}

const TOO_MANY: Refusal = refuse('too-many', 'this topic has more messages than INGEST_DEVICE_PER_SECOND');

/** A filter of an older program that is still in the session, or the bare topic without an id. */
const UNKNOWN_TOPIC: Refusal = refuse('topic-mismatch', 'the topic is neither telemetry nor a meter');
