import { isRefusal, type Refusal } from '../../../contracts/envelope';
import { parseTelemetry, type Telemetry } from '../../../contracts/telemetry';

const NOW = 1_760_000_000_000;
const DAY_MS = 86_400_000;
const WINDOW = { nowMs: NOW, maxPayloadBytes: 16_384, maxAgeMs: 30 * DAY_MS };

const FULL = {
  v: 1,
  messageType: 'telemetry',
  messageId: '8c9a4c52-6f0a-4d8e-9a52-3f1f2a3b4c5d',
  deviceId: 'battery-7',
  deviceType: 'battery',
  timestampMs: NOW - 2_000,
  sentAtMs: NOW - 1_900,
  source: 'pi-agent',
  payload: {
    readings: { powerKw: -3.25, energyKwh: 812.5, soc: 0.62, voltageV: 229.8, currentA: -14.1 },
    status: { online: true, faultCode: 'E-17' },
    capabilities: { maxChargeKw: 5, maxDischargeKw: 4.5 },
    siteId: 'site-3',
    feederId: 'oak-street',
  },
};

type Change = Record<string, unknown>;
const message = (change: Change = {}): Change => ({ ...FULL, ...change });
const withPayload = (change: Change): Change => message({ payload: { ...FULL.payload, ...change } });
const withReadings = (change: Change): Change => withPayload({ readings: { ...FULL.payload.readings, ...change } });
const withStatus = (change: Change): Change => withPayload({ status: { ...FULL.payload.status, ...change } });

const parse = (content: unknown, topicTail = 'battery/battery-7'): Telemetry | Refusal =>
  parseTelemetry(topicTail, Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)), WINDOW);

const taken = (content: unknown, topicTail?: string): Telemetry => {
  const result = parse(content, topicTail);
  if (isRefusal(result)) throw new Error(`${result.refused}: ${result.detail}`);
  return result;
};

const refusal = (content: unknown, topicTail?: string): Refusal => {
  const result = parse(content, topicTail);
  if (!isRefusal(result)) throw new Error('it was taken');
  return result;
};

describe('telemetry', () => {
  it('is read with everything that the contract knows', () => {
    expect(taken(FULL)).toEqual({
      messageId: '8c9a4c52-6f0a-4d8e-9a52-3f1f2a3b4c5d',
      deviceId: 'battery-7',
      deviceType: 'battery',
      timestampMs: 1_759_999_998_000,
      powerKw: -3.25,
      energyKwh: 812.5,
      soc: 0.62,
      socScaled: false,
      voltageV: 229.8,
      currentA: -14.1,
      online: true,
      faultCode: 'E-17',
      capabilities: { maxChargeKw: 5, maxDischargeKw: 4.5 },
      feederId: 'oak-street',
      siteId: 'site-3',
    });
  });

  it('needs no more than identity, time, power and whether the device is online', () => {
    const least = message({
      sentAtMs: undefined,
      source: undefined,
      payload: { readings: { powerKw: 0 }, status: { online: false } },
    });

    expect(taken(least)).toEqual({
      messageId: '8c9a4c52-6f0a-4d8e-9a52-3f1f2a3b4c5d',
      deviceId: 'battery-7',
      deviceType: 'battery',
      timestampMs: 1_759_999_998_000,
      powerKw: 0,
      energyKwh: null,
      soc: null,
      socScaled: false,
      voltageV: null,
      currentA: null,
      online: false,
      faultCode: null,
      capabilities: null,
      feederId: null,
      siteId: null,
    });
  });

  it('may carry fields that we do not know, also one named like our own refusals', () => {
    const extended = { ...withReadings({ reactiveKvar: 2 }), firmware: { version: 9 }, refused: 'no', detail: 'none' };

    expect(taken(extended).powerKw).toBe(-3.25);
  });

  it.each`
    sent         | soc      | scaled
    ${0}         | ${0}     | ${false}
    ${0.5}       | ${0.5}   | ${false}
    ${1}         | ${1}     | ${false}
    ${1.5}       | ${0.015} | ${true}
    ${62}        | ${0.62}  | ${true}
    ${100}       | ${1}     | ${true}
    ${null}      | ${null}  | ${false}
    ${undefined} | ${null}  | ${false}
  `('takes soc $sent for $soc', ({ sent, soc, scaled }) => {
    expect(taken(withReadings({ soc: sent }))).toMatchObject({ soc, socScaled: scaled });
  });

  it.each`
    sent                  | faultCode
    ${''}                 | ${null}
    ${null}               | ${null}
    ${undefined}          | ${null}
    ${'overheated'}       | ${'overheated'}
    ${42}                 | ${'42'}
    ${'with\u0000 a nul'} | ${'with a nul'}
    ${'x'.repeat(10_000)} | ${'x'.repeat(128)}
  `('takes the fault code $sent for $faultCode', ({ sent, faultCode }) => {
    expect(taken(withStatus({ faultCode: sent })).faultCode).toBe(faultCode);
  });

  it('hangs a device that names only its site on the feeder of that name', () => {
    expect(taken(withPayload({ feederId: undefined, siteId: 'site-3' })).feederId).toBe('site-3');
    expect(taken(withPayload({ feederId: '', siteId: 'site-3' })).feederId).toBe('site-3');
    expect(taken(withPayload({ feederId: undefined, siteId: undefined })).feederId).toBeNull();
  });

  it('may be half a minute ahead and as old as telemetry is kept', () => {
    expect(taken(message({ timestampMs: NOW + 30_000 })).timestampMs).toBe(NOW + 30_000);
    expect(taken(message({ timestampMs: NOW - 30 * DAY_MS })).timestampMs).toBe(NOW - 30 * DAY_MS);
  });
});

describe('refused telemetry', () => {
  it.each<[string, string, unknown, string]>([
    ['an empty message', 'malformed-json', '', 'Unexpected end of JSON input'],
    ['a number', 'malformed-json', '7', 'the message is not a JSON object'],
    ['a list', 'malformed-json', '[]', 'the message is not a JSON object'],
    ['null', 'malformed-json', 'null', 'the message is not a JSON object'],
    ['another version', 'unknown-version', message({ v: 2 }), 'v is 2, this system speaks 1'],
    ['a version in quotes', 'unknown-version', message({ v: '1' }), 'v is "1", this system speaks 1'],
    ['no version', 'unknown-version', message({ v: undefined }), 'v is missing, this system speaks 1'],
    [
      'another type',
      'unknown-type',
      message({ messageType: 'setpoint' }),
      'messageType is "setpoint", expected "telemetry"',
    ],
    ['an unknown kind of device', 'unknown-type', message({ deviceType: 'heat-pump' }), 'deviceType is "heat-pump"'],
    ['a message id that is no UUID', 'invalid-id', message({ messageId: 'abc' }), 'messageId is not a UUID'],
    ['no message id', 'invalid-id', message({ messageId: undefined }), 'messageId is not a UUID'],
    ['a device id with a slash', 'invalid-id', message({ deviceId: 'a/b' }), 'deviceId is "a/b"'],
    ['a device id with a quote', 'invalid-id', message({ deviceId: `a'b"` }), String.raw`deviceId is "a'b\""`],
    ['a device id with a wildcard', 'invalid-id', message({ deviceId: '#' }), 'deviceId is "#"'],
    ['an empty device id', 'invalid-id', message({ deviceId: '' }), 'deviceId is ""'],
    ['a device id of 10 kB', 'invalid-id', message({ deviceId: 'x'.repeat(10_000) }), `deviceId is "${'x'.repeat(63)}`],
    ['a device id that is an object', 'invalid-id', message({ deviceId: {} }), 'deviceId is an object'],
    ['a feeder id with a slash', 'invalid-id', withPayload({ feederId: 'a/b' }), 'payload.feederId is "a/b"'],
    ['a site id that is a number', 'invalid-id', withPayload({ siteId: 3 }), 'payload.siteId is 3'],
    ['no time', 'missing-field', message({ timestampMs: undefined }), 'timestampMs is missing'],
    ['a time in quotes', 'invalid-number', message({ timestampMs: '5' }), 'timestampMs is "5", not an integer'],
    [
      'a broken millisecond',
      'invalid-number',
      message({ timestampMs: NOW + 0.5 }),
      'timestampMs is 1760000000000.5, not an integer',
    ],
    ['the future', 'in-the-future', message({ timestampMs: NOW + 30_001 }), 'timestampMs is 30001 ms ahead'],
    ['the far past', 'too-old', message({ timestampMs: NOW - 30 * DAY_MS - 1 }), 'timestampMs is 2592000001 ms old'],
    ['no payload', 'missing-field', message({ payload: undefined }), 'payload is missing'],
    ['no readings', 'missing-field', withPayload({ readings: undefined }), 'payload.readings is missing'],
    ['no status', 'missing-field', withPayload({ status: null }), 'payload.status is missing'],
    ['no power', 'missing-field', withReadings({ powerKw: undefined }), 'payload.readings.powerKw is missing'],
    ['no word on being online', 'missing-field', withStatus({ online: 'yes' }), 'payload.status.online is missing'],
    ['power that is null', 'invalid-number', withReadings({ powerKw: null }), 'payload.readings.powerKw is null'],
    ['power in quotes', 'invalid-number', withReadings({ powerKw: '3' }), 'payload.readings.powerKw is "3"'],
    [
      'power beyond a gigawatt',
      'invalid-number',
      withReadings({ powerKw: 1_000_001 }),
      'payload.readings.powerKw is 1000001',
    ],
    ['negative energy', 'invalid-number', withReadings({ energyKwh: -1 }), 'payload.readings.energyKwh is -1'],
    ['negative soc', 'invalid-number', withReadings({ soc: -0.1 }), 'payload.readings.soc is -0.1'],
    ['soc beyond 100 %', 'invalid-number', withReadings({ soc: 100.1 }), 'payload.readings.soc is 100.1'],
    ['negative voltage', 'invalid-number', withReadings({ voltageV: -230 }), 'payload.readings.voltageV is -230'],
    ['current in quotes', 'invalid-number', withReadings({ currentA: '4' }), 'payload.readings.currentA is "4"'],
    [
      'capabilities that are a list',
      'invalid-number',
      withPayload({ capabilities: [] }),
      'payload.capabilities is not an object',
    ],
    [
      'a negative capability',
      'invalid-number',
      withPayload({ capabilities: { maxImportKw: -1 } }),
      'payload.capabilities.maxImportKw is -1',
    ],
  ])('%s: %s', (_what, reason, content, detail) => {
    expect(refusal(content)).toEqual({ refused: reason, detail });
  });

  it('a number too large for JSON to hold: invalid-number', () => {
    const infinite = JSON.stringify(FULL).replace('-3.25', '1e999');

    expect(refusal(infinite)).toEqual({ refused: 'invalid-number', detail: 'payload.readings.powerKw is Infinity' });
  });

  it('a broken message: malformed-json, with where it broke', () => {
    expect(refusal('{"v":1,')).toMatchObject({ refused: 'malformed-json', detail: expect.stringContaining('JSON') });
  });

  it('a message over the limit: too-large, before it is looked at', () => {
    expect(refusal('x'.repeat(16_385))).toEqual({
      refused: 'too-large',
      detail: '16385 bytes, at most 16384 are taken',
    });
  });

  it.each(['pv/battery-7', 'battery/battery-8', 'battery', 'battery/battery-7/x', 'BATTERY/battery-7', ''])(
    'a message in the topic %p of somebody else: topic-mismatch',
    (topicTail) => {
      expect(refusal(FULL, topicTail)).toEqual({
        refused: 'topic-mismatch',
        detail: `the topic says "${topicTail}", the message battery/battery-7`,
      });
    },
  );

  it('nesting as deep as the message allows does no harm', () => {
    const deep = JSON.stringify(FULL).replace('"battery-7"', '['.repeat(7_000) + ']'.repeat(7_000));

    expect(refusal(deep)).toEqual({ refused: 'invalid-id', detail: 'deviceId is an array' });
  });

  it('a message that looks like a refusal of ours is only broken telemetry', () => {
    expect(refusal({ refused: 'registry-full', detail: 'x' })).toEqual({
      refused: 'unknown-version',
      detail: 'v is missing, this system speaks 1',
    });
  });
});
