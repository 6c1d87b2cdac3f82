import type {
  DeviceSamples,
  MeterSamples,
  Newcomer,
  RegisteredDevice,
  StoreOutcome,
  WireAdditions,
  WireChange,
  WireLimits,
} from '../domain/samples';

/** What the ingest needs from the outside; `worker/` hands in the adapters. Rejections mean: hold, and try again. */

/** Acknowledges a batch at most once, and only what is on disk. */
export interface TelemetryStore {
  /** `heldMs`: how long the newest of them has been in our hands, taken off the time of arrival. */
  storeDeviceSamples(samples: DeviceSamples, heldMs: number): Promise<StoreOutcome>;
  storeMeterSamples(samples: MeterSamples, heldMs: number): Promise<StoreOutcome>;
}

type Refused = Extract<StoreOutcome, { refused: string }>;

export interface WireRegistry {
  find(deviceIds: readonly string[]): Promise<RegisteredDevice[]>;
  findFeeders(feederIds: readonly string[]): Promise<string[]>;
  /** Newcomers that are not in the answer found no place. */
  register(newcomers: readonly Newcomer[], limits: WireLimits): Promise<WireAdditions | Refused>;
  follow(changes: readonly WireChange[], limits: WireLimits): Promise<WireAdditions | Refused>;
}

export interface RefusedSample {
  readonly reason: string;
  readonly detail: string;
  readonly topic: string;
  readonly payload: Buffer;
}

/** Of one sender, for one reason, since the last time. */
export interface SenderCount {
  readonly sender: string;
  readonly reason: string;
  readonly messages: number;
  readonly perSecond: number;
}

/** Where an operator reads what was refused. */
export interface RefusedTelemetry {
  keep(samples: readonly RefusedSample[]): Promise<void>;
  /** Adds up who sent it. */
  addUp(counts: readonly SenderCount[]): Promise<void>;
  /** Removes the oldest beyond the table's bound. */
  trim(): Promise<void>;
}

/** Messages from the broker, each of which it sends again until it is acknowledged. */
export interface Subscription {
  readonly subscribed: boolean;
  readonly unacknowledged: number;
  acknowledgeThrough(sequence: number): void;
  close(): Promise<void>;
}

export interface SubscriptionRequest {
  readonly filters: readonly string[];
  /** What this process subscribed to before it was configured otherwise: every message would come twice. */
  readonly formerFilters: readonly string[];
  /** Bound on what is received and not acknowledged: the back-pressure. */
  readonly receiveMaximum: number;
}

/** `sequence` counts the messages that want an acknowledgement; one with QoS 0 has the number of the one before it. */
export type MessageHandler = (topic: string, payload: Buffer, sequence: number, qos: 0 | 1 | 2) => void;

export type Subscribe = (request: SubscriptionRequest, onMessage: MessageHandler) => Subscription;
