import {
  faultOfEnvelope,
  isFiniteNumber,
  isId,
  isRecord,
  isRefusal,
  MAX_POWER_KW,
  parseJson,
  refuse,
  shown,
  type AcceptanceWindow,
  type Refusal,
} from './envelope';

/** Flow measured at a feeder node; kW, import positive. */
export interface Measurement {
  readonly messageId: string;
  readonly feederId: string;
  readonly timestampMs: number;
  readonly flowKw: number;
}

/** `topicTail` is what follows `<prefix>/meters/`. */
export function parseMeasurement(topicTail: string, payload: Buffer, window: AcceptanceWindow): Measurement | Refusal {
  const message = parseJson(payload, window.maxPayloadBytes);
  if (isRefusal(message)) return message;
  const fault = faultOfEnvelope(message, 'measurement', window);
  if (fault !== null) return fault;
  const { feederId, payload: body } = message as { feederId?: unknown; payload?: unknown };
  if (!isId(feederId)) return refuse('invalid-id', `feederId is ${shown(feederId)}`);
  if (topicTail !== feederId) {
    return refuse('topic-mismatch', `the topic says ${shown(topicTail)}, the message ${feederId}`);
  }
  if (!isRecord(body)) return refuse('missing-field', 'payload is missing');
  const flowKw = body['flowKw'];
  if (flowKw === undefined) return refuse('missing-field', 'payload.flowKw is missing');
  if (!isFiniteNumber(flowKw) || Math.abs(flowKw) > MAX_POWER_KW) {
    return refuse('invalid-number', `payload.flowKw is ${shown(flowKw)}`);
  }
  return {
    messageId: message['messageId'] as string, // checked by faultOfEnvelope
    feederId,
    timestampMs: message['timestampMs'] as number, // checked by faultOfEnvelope
    flowKw,
  };
}
