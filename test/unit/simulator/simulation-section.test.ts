import { readSimulation } from '../../../simulator/simulation-section';
import type { DermsError } from '../../../domain/errors';
import type { RegistryFile } from '../../../contracts/registry-file';

const REGISTRY: RegistryFile = {
  feeders: [{ feederId: 'a', importLimitKw: 1, exportLimitKw: 1 }],
  devices: [{ deviceId: 'ev-1', deviceType: 'ev', feederId: 'a' }],
};

describe('the simulation section of a registry file', () => {
  it('needs not be there: a fleet without faults, at eleven in the morning, in real time', () => {
    expect(readSimulation(REGISTRY)).toMatchObject({
      seed: 1,
      speed: 1,
      timeOfDay: '11:00',
      intervalSeconds: 5,
      cloudiness: 0.3,
      feeders: {},
      devices: {},
    });
  });

  it('has all its faults named at once, devices that nobody knows among them', () => {
    const simulation = {
      speed: -1,
      timeOfDay: '25:00',
      battery: { capacityKwh: [15, 10], startSoc: [0, 1] },
      feeders: { a: { metered: false }, b: {} },
      devices: { 'ev-1': { silnet: true }, 'ev-2': {} },
    };
    expect(faultsOf({ ...REGISTRY, simulation })).toEqual([
      { pointer: '/simulation/speed', message: 'Too small: expected number to be >=0' },
      { pointer: '/simulation/timeOfDay', message: 'is not a time of day, HH:MM' },
      { pointer: '/simulation/battery/capacityKwh', message: 'the first number must not be above the second' },
      { pointer: '/simulation/devices/ev-1', message: 'Unrecognized key: "silnet"' },
      { pointer: '/simulation/feeders/b', message: 'is not in the registry' },
      { pointer: '/simulation/devices/ev-2', message: 'is not in the registry' },
    ]);
  });
});

function faultsOf(registry: RegistryFile): unknown {
  try {
    readSimulation(registry);
  } catch (error) {
    return (error as DermsError).faults; // nothing else is thrown, or the comparison fails
  }
  throw new Error('the section was taken');
}
