import { emergencyStopMessage, parseEmergencyStop } from '../../../contracts/emergency-stop';

const STOP = {
  stopId: '11111111-1111-4111-8111-111111111111',
  safeState: 'zero',
  reason: 'people on the line',
  engagedBy: 'ann',
  engagedAtMs: 1_782_925_200_000,
} as const;
const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const message = emergencyStopMessage(STOP);

it('reads what it writes', () => {
  expect(parseEmergencyStop(bytes(message))).toEqual(STOP);
});

it('is a stop whatever somebody wrote by hand as reason', () => {
  const { safeState } = message.payload;
  expect(parseEmergencyStop(bytes({ ...message, payload: { safeState, reason: 7 } }))).toEqual({
    ...STOP,
    reason: 'not said',
    engagedBy: 'not said',
  });
});

it.each`
  fault                   | payload                                                       | refused
  ${'another version'}    | ${bytes({ ...message, v: 2 })}                                | ${'unknown-version'}
  ${'another message'}    | ${bytes({ ...message, messageType: 'setpoint' })}             | ${'unknown-type'}
  ${'no id'}              | ${bytes({ ...message, messageId: 'stop' })}                   | ${'invalid-id'}
  ${'no time'}            | ${bytes({ ...message, timestampMs: 'now' })}                  | ${'invalid-number'}
  ${'no payload'}         | ${bytes({ ...message, payload: null })}                       | ${'missing-field'}
  ${'unknown safe state'} | ${bytes({ ...message, payload: { safeState: 'elsewhere' } })} | ${'missing-field'}
  ${'no JSON'}            | ${Buffer.from('stop!')}                                       | ${'malformed-json'}
  ${'more than 8 KiB'}    | ${bytes({ ...message, padding: 'x'.repeat(8_192) })}          | ${'too-large'}
`('refuses $fault', ({ payload, refused }) => {
  expect(parseEmergencyStop(payload as Buffer)).toMatchObject({ refused });
});
