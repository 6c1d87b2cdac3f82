import { parseMeasurement } from '../../../contracts/measurement';

const NOW = 1_760_000_000_000;
const WINDOW = { nowMs: NOW, maxPayloadBytes: 16_384, maxAgeMs: 86_400_000 };

const FULL = {
  v: 1,
  messageType: 'measurement',
  messageId: '8c9a4c52-6f0a-4d8e-9a52-3f1f2a3b4c5d',
  feederId: 'oak-street',
  timestampMs: NOW,
  source: 'simulator',
  payload: { flowKw: -12.5 },
};

const parse = (change: Record<string, unknown>, topicTail = 'oak-street') =>
  parseMeasurement(topicTail, Buffer.from(JSON.stringify({ ...FULL, ...change })), WINDOW);

describe('a measurement at a feeder', () => {
  it('is read as flow, import positive', () => {
    expect(parse({})).toEqual({
      messageId: '8c9a4c52-6f0a-4d8e-9a52-3f1f2a3b4c5d',
      feederId: 'oak-street',
      timestampMs: 1_760_000_000_000,
      flowKw: -12.5,
    });
  });

  it.each<[string, string, Record<string, unknown>, string]>([
    [
      'another type',
      'unknown-type',
      { messageType: 'telemetry' },
      'messageType is "telemetry", expected "measurement"',
    ],
    ['no feeder', 'invalid-id', { feederId: undefined }, 'feederId is missing'],
    ['a feeder id with a slash', 'invalid-id', { feederId: 'a/b' }, 'feederId is "a/b"'],
    [
      'another feeder than the topic',
      'topic-mismatch',
      { feederId: 'elm-street' },
      'the topic says "oak-street", the message elm-street',
    ],
    ['no payload', 'missing-field', { payload: null }, 'payload is missing'],
    ['no flow', 'missing-field', { payload: {} }, 'payload.flowKw is missing'],
    ['a flow in quotes', 'invalid-number', { payload: { flowKw: '1' } }, 'payload.flowKw is "1"'],
    ['a flow beyond a gigawatt', 'invalid-number', { payload: { flowKw: -1_000_001 } }, 'payload.flowKw is -1000001'],
    ['the past', 'too-old', { timestampMs: NOW - 86_400_001 }, 'timestampMs is 86400001 ms old'],
  ])('with %s is refused: %s', (_what, reason, change, detail) => {
    expect(parse(change)).toEqual({ refused: reason, detail });
  });
});
