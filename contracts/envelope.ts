import { ID_PATTERN } from './topics';

/** What every message of contract v1 carries around its payload. */
export interface Envelope<Type extends string, Payload> {
  readonly v: 1;
  readonly messageType: Type;
  readonly messageId: string;
  readonly timestampMs: number;
  readonly sentAtMs?: number;
  readonly correlationId?: string;
  readonly source: MessageSource;
  readonly payload: Payload;
}

export type MessageSource = 'simulator' | 'pi-agent' | 'backend' | 'unknown';

/** Why a message was refused; the label of `derms_ingest_refused_total{reason}`. */
export const REFUSAL_REASONS = [
  'too-large',
  'malformed-json',
  'unknown-version',
  'unknown-type',
  'invalid-id',
  'invalid-number',
  'missing-field',
  'topic-mismatch',
  'in-the-future',
  'too-old',
  'wrong-device-type',
  'unknown-feeder',
  'registry-full',
  'database-refused',
  'too-many',
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/**
 * A message that is not taken: counted by reason, sampled, acknowledged to the broker. A class, so that nothing that a
 * stranger sends can be taken for one.
 */
export class Refusal {
  constructor(
    readonly refused: RefusalReason,
    /** What is wrong and where, for the operator who reads the sample. */
    readonly detail: string,
  ) {}
}

/** Bounds that depend on configuration and on the moment. */
export interface AcceptanceWindow {
  readonly nowMs: number;
  readonly maxPayloadBytes: number;
  /** Older samples are refused; `TELEMETRY_RETENTION_DAYS`. */
  readonly maxAgeMs: number;
}

/** Power beyond this is a broken number, not a device or a feeder: 1 GW. */
export const MAX_POWER_KW = 1e6;

/** Samples from further ahead than this are refused (design section 6). */
export const MAX_FUTURE_MS = 30_000;

export const UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export const isRefusal = (value: object): value is Refusal => value instanceof Refusal;
export const refuse = (refused: RefusalReason, detail: string): Refusal => new Refusal(refused, detail);
export const isFiniteNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const isId = (value: unknown): value is string => typeof value === 'string' && ID_PATTERN.test(value);

/** Bytes to a plain object; hand-shaped because it stands on the hottest path we have. */
export function parseJson(payload: Buffer, maxPayloadBytes: number): Record<string, unknown> | Refusal {
  if (payload.length > maxPayloadBytes) {
    return refuse('too-large', `${String(payload.length)} bytes, at most ${String(maxPayloadBytes)} are taken`);
  }
  try {
    const parsed: unknown = JSON.parse(payload.toString('utf8'));
    return isRecord(parsed) ? parsed : refuse('malformed-json', 'the message is not a JSON object');
  } catch (error) {
    return refuse('malformed-json', error instanceof Error ? error.message : 'not JSON');
  }
}

/** Checks what telemetry and measurements share; null when all is well. */
export function faultOfEnvelope(
  message: Record<string, unknown>,
  messageType: string,
  window: AcceptanceWindow,
): Refusal | null {
  if (message['v'] !== 1) return refuse('unknown-version', `v is ${shown(message['v'])}, this system speaks 1`);
  if (message['messageType'] !== messageType) {
    return refuse('unknown-type', `messageType is ${shown(message['messageType'])}, expected "${messageType}"`);
  }
  const id = message['messageId'];
  if (typeof id !== 'string' || !UUID_PATTERN.test(id)) return refuse('invalid-id', 'messageId is not a UUID');
  const at = message['timestampMs'];
  if (at === undefined) return refuse('missing-field', 'timestampMs is missing');
  if (typeof at !== 'number' || !Number.isSafeInteger(at)) {
    return refuse('invalid-number', `timestampMs is ${shown(at)}, not an integer`);
  }
  if (at > window.nowMs + MAX_FUTURE_MS)
    return refuse('in-the-future', `timestampMs is ${String(at - window.nowMs)} ms ahead`);
  if (at < window.nowMs - window.maxAgeMs)
    return refuse('too-old', `timestampMs is ${String(window.nowMs - at)} ms old`);
  return null;
}

const SHOWN_LENGTH = 64;

/**
 * A value as it may stand in a sentence: short, and never the whole of what a stranger sent. Objects are not written
 * out: one that is nested deep enough would end the stack.
 */
export function shown(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return 'missing';
    case 'string':
      return JSON.stringify(value.slice(0, SHOWN_LENGTH)).slice(0, SHOWN_LENGTH);
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? 'an array' : 'an object';
    case 'number':
    case 'boolean':
    case 'bigint':
    case 'symbol':
    case 'function':
      return String(value);
  }
}
