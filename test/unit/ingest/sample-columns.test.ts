import { deviceColumns, meterColumns, type IdentifiedSample } from '../../../ingest/sample-columns';

const ID = '8c9a4c52-6f0a-4d8e-9a52-3f1f2a3b4c5d';

const sample = (deviceType: 'pv' | 'battery' | 'ev', sign: 'load' | 'generator' | null, powerKw: number) =>
  ({
    topic: '',
    payload: Buffer.alloc(0),
    telemetry: {
      messageId: ID,
      deviceId: 'd',
      deviceType,
      timestampMs: 5,
      powerKw,
      energyKwh: null,
      soc: 0.5,
      socScaled: false,
      voltageV: 230,
      currentA: null,
      online: true,
      faultCode: null,
      capabilities: null,
      feederId: null,
      siteId: null,
    },
    device: {
      registered: {
        deviceKey: 7,
        deviceId: 'd',
        deviceType,
        sign,
        feederId: 'f',
        feederOrigin: 'wire',
        ratingOrigin: 'wire',
        maxImportKw: null,
        maxExportKw: null,
      },
      freshUntil: 0,
      newestMs: 0,
      unfollowedFeederId: null,
    },
  }) satisfies IdentifiedSample;

describe('columns', () => {
  it('hold power in the inside sign: what a PV generates is negative, whatever its own sign', () => {
    const columns = deviceColumns([
      sample('pv', null, 40),
      sample('pv', 'load', -40),
      sample('battery', null, -3),
      sample('battery', 'generator', 3),
      sample('ev', null, 11),
    ]);

    expect(columns.powerKw).toEqual([-40, -40, -3, -3, 11]);
  });

  it('hold one sample a row', () => {
    expect(deviceColumns([sample('ev', null, 11)])).toEqual({
      deviceKey: [7],
      sampledAtMs: [5],
      messageId: [ID],
      powerKw: [11],
      energyKwh: [null],
      soc: [0.5],
      voltageV: [230],
      currentA: [null],
      online: [true],
      faultCode: [null],
    });
  });

  it('hold the flow of a meter as it came', () => {
    const measurement = { messageId: ID, feederId: 'oak-street', timestampMs: 5, flowKw: -12.5 };

    expect(meterColumns([{ measurement, topic: '', payload: Buffer.alloc(0) }])).toEqual({
      feederId: ['oak-street'],
      sampledAtMs: [5],
      messageId: [ID],
      flowKw: [-12.5],
    });
  });
});
