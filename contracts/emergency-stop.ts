import { SAFE_STATES } from '../domain/emergency-stop';
import type { EmergencyStop, SafeState } from '../domain/fleet';
import { isRecord, isRefusal, parseJson, refuse, shown, UUID_PATTERN, type Envelope, type Refusal } from './envelope';

/**
 * The broker's copy of an emergency stop, retained at `<prefix>/emergency-stop`: so that one which was engaged while
 * Postgres was away, or in a database lost since, is obeyed by every worker that publishes at this broker.
 */
export interface HeldEmergencyStop extends EmergencyStop {
  readonly reason: string;
  readonly engagedBy: string;
  readonly engagedAtMs: number;
}

type EmergencyStopMessage = Envelope<
  'emergency-stop',
  { readonly safeState: SafeState; readonly reason: string; readonly engagedBy: string }
>;

export const emergencyStopMessage = (stop: HeldEmergencyStop): EmergencyStopMessage => ({
  v: 1,
  messageType: 'emergency-stop',
  messageId: stop.stopId,
  timestampMs: stop.engagedAtMs,
  source: 'backend',
  payload: { safeState: stop.safeState, reason: stop.reason, engagedBy: stop.engagedBy },
});

const MAX_BYTES = 8_192;

export function parseEmergencyStop(payload: Buffer): HeldEmergencyStop | Refusal {
  const message = parseJson(payload, MAX_BYTES);
  if (isRefusal(message)) return message;
  if (message['v'] !== 1) return refuse('unknown-version', `v is ${shown(message['v'])}, this system speaks 1`);
  if (message['messageType'] !== 'emergency-stop') {
    return refuse('unknown-type', `messageType is ${shown(message['messageType'])}, expected "emergency-stop"`);
  }
  const { messageId: stopId, timestampMs: engagedAtMs, payload: body } = message;
  if (typeof stopId !== 'string' || !UUID_PATTERN.test(stopId)) return refuse('invalid-id', 'messageId is not a UUID');
  if (!Number.isSafeInteger(engagedAtMs)) return refuse('invalid-number', 'timestampMs is not an integer');
  if (!isRecord(body)) return refuse('missing-field', 'payload is missing');
  const safeState = SAFE_STATES.find((state) => state === body['safeState']);
  if (safeState === undefined) return refuse('missing-field', `payload.safeState is ${shown(body['safeState'])}`);
  return {
    stopId: stopId.toLowerCase(),
    safeState,
    reason: textOf(body['reason']),
    engagedBy: textOf(body['engagedBy']),
    engagedAtMs: Number(engagedAtMs),
  };
}

/** What somebody wrote by hand into a stop does not make it less of a stop. */
const textOf = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 500) : 'not said');
