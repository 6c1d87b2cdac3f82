import { parseMeasurement } from '../../../contracts/measurement';
import { parseTelemetry } from '../../../contracts/telemetry';
import type { RegistryDevice } from '../../../contracts/registry-file';
import { buildDevices } from '../../../simulator/build-devices';
import { measurementWriter, telemetryWriter } from '../../../simulator/messages';
import { readSimulation } from '../../../simulator/simulation-section';

const NOW = 1_800_000_000_000;
const WINDOW = { nowMs: NOW, maxPayloadBytes: 16_384, maxAgeMs: 86_400_000 };

describe('telemetry of a simulated device', () => {
  it.each`
    deviceType   | sign           | wireKw    | soc     | capabilities
    ${'pv'}      | ${undefined}   | ${1.235}  | ${null} | ${{ maxExportKw: 10 }}
    ${'pv'}      | ${'load'}      | ${-1.235} | ${null} | ${{ maxExportKw: 10 }}
    ${'battery'} | ${undefined}   | ${-1.235} | ${0.5}  | ${{ maxChargeKw: 5, maxDischargeKw: 5 }}
    ${'battery'} | ${'generator'} | ${1.235}  | ${0.5}  | ${{ maxChargeKw: 5, maxDischargeKw: 5 }}
    ${'ev'}      | ${undefined}   | ${-1.235} | ${0.5}  | ${{ maxImportKw: 11 }}
  `('is what contract v1 takes: $deviceType counting as $sign', (given: Record<string, unknown>) => {
    const device = aDevice({ deviceType: given['deviceType'] as 'pv', sign: given['sign'] as 'load' });
    device.powerKw = -1.23456;
    device.energyKwh = 7;

    const text = telemetryWriter(device.traits)(device, NOW);
    expect(parseTelemetry(`${given['deviceType'] as string}/d-1`, Buffer.from(text), WINDOW)).toMatchObject({
      deviceId: 'd-1',
      deviceType: given['deviceType'],
      timestampMs: NOW,
      powerKw: given['wireKw'],
      energyKwh: 7,
      soc: given['soc'],
      online: true,
      faultCode: null,
      capabilities: given['capabilities'],
      feederId: 'f',
    });
  });

  it('says when the device is out of reach or has a fault', () => {
    const device = aDevice({ deviceType: 'ev' });
    device.behaviour = { ...device.behaviour, offline: true, faultCode: 'E-17' };

    const text = telemetryWriter(device.traits)(device, NOW);
    expect(parseTelemetry('ev/d-1', Buffer.from(text), WINDOW)).toMatchObject({ online: false, faultCode: 'E-17' });
  });

  it('has an id that is the same for the same sample and no other', () => {
    const device = aDevice({ deviceType: 'ev' });
    const write = telemetryWriter(device.traits);
    const idOf = (text: string): unknown => (JSON.parse(text) as { messageId: unknown }).messageId;

    expect(idOf(write(device, NOW))).toBe('01a3185c-5000-8e74-8666-a6e02480da96');
    expect(idOf(write(device, NOW))).toBe(idOf(write(device, NOW)));
    expect(idOf(write(device, NOW + 1))).not.toBe(idOf(write(device, NOW)));
  });
});

describe('the message of a simulated meter', () => {
  it('is what contract v1 takes', () => {
    const text = measurementWriter('oak-street')(-12.34567, NOW);

    expect(parseMeasurement('oak-street', Buffer.from(text), WINDOW)).toMatchObject({
      feederId: 'oak-street',
      timestampMs: NOW,
      flowKw: -12.346,
    });
  });
});

function aDevice(device: Pick<RegistryDevice, 'deviceType' | 'sign'>) {
  const ratings = { pv: { maxExportKw: 10 }, battery: { maxImportKw: 5, maxExportKw: 5 }, ev: { maxImportKw: 11 } };
  const registry = {
    feeders: [],
    devices: [{ deviceId: 'd-1', feederId: 'f', ...ratings[device.deviceType], ...device }],
    simulation: { battery: { capacityKwh: [10, 10], startSoc: [0.5, 0.5] }, devices: { 'd-1': { startSoc: 0.5 } } },
  };
  const [built] = buildDevices(registry, readSimulation(registry), new Map());
  if (built === undefined) throw new Error('no device');
  return built;
}
