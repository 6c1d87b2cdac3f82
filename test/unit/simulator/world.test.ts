import type { RegistryFile } from '../../../contracts/registry-file';
import { readSimulation } from '../../../simulator/simulation-section';
import { generateRegistry } from '../../../simulator/generated-registry';
import { World } from '../../../simulator/world';

describe('the simulated world', () => {
  it('is the same to the bit for the same seed', () => {
    expect(series(aWorld({ seed: 7 }))).toEqual(series(aWorld({ seed: 7 })));
  });

  it('is another one for another seed', () => {
    expect(series(aWorld({ seed: 7 }))).not.toEqual(series(aWorld({ seed: 8 })));
  });

  it('does not change for the others when one device is told something', () => {
    const left = aWorld({});
    const alone = aWorld({});
    const told = deviceOf(left, 'sim-ev-00001');
    told.behaviour = { ...told.behaviour, disobedient: true };
    series(left);
    series(alone);
    const others = ({ devices }: World) => devices.slice(1).map(({ powerKw, soc }) => [powerKw, soc]);

    expect(told.powerKw).toBeGreaterThan(0);
    expect(deviceOf(alone, 'sim-ev-00001').powerKw).toBe(0);
    expect(others(left)).toEqual(others(alone));
  });

  it('runs sun and energy faster than the clock, not the ramps', () => {
    const world = aWorld({ speed: 3_600, timeOfDay: '08:00', cloudiness: 0 });
    world.step(1, 1_000);

    expect(world.secondsOfDay).toBe(9 * 3_600);
    expect(deviceOf(world, 'sim-pv-00003').powerKw).toBe(-2.5); // a quarter of its rating in a second
  });

  it('stands still at speed 0', () => {
    const world = aWorld({ speed: 0, timeOfDay: '12:00' });
    for (let step = 0; step < 100; step += 1) world.step(1, step * 1_000);

    expect(world.secondsOfDay).toBe(12 * 3_600);
  });

  it.each([
    ['day', 12],
    ['night', 0],
  ] as const)('moves the sun to where %s is', (profile, hour) => {
    const world = aWorld({ timeOfDay: '07:00' });
    world.setProfile(profile);

    expect(world.secondsOfDay).toBe(hour * 3_600);
  });
});

describe('the flow through a feeder', () => {
  const tree: RegistryFile = {
    feeders: [
      { feederId: 'branch', parentId: 'root', importLimitKw: 1, exportLimitKw: 1, baseLoadKw: 4 },
      { feederId: 'root', importLimitKw: 1, exportLimitKw: 1, baseLoadKw: 10 },
      { feederId: 'twig', parentId: 'branch', importLimitKw: 1, exportLimitKw: 1, baseLoadKw: 2 },
      { feederId: 'other', importLimitKw: 1, exportLimitKw: 1 },
    ],
    devices: [
      { deviceId: 'pv', deviceType: 'pv', feederId: 'twig', maxExportKw: 3 },
      { deviceId: 'ev', deviceType: 'ev', feederId: 'root', maxImportKw: 11 },
    ],
    simulation: { timeOfDay: '12:00', cloudiness: 0, speed: 0, devices: { ev: { disobedient: true, startSoc: 0.5 } } },
  };

  it('is the sum of its homes, its devices and everything below', () => {
    const world = new World(tree, readSimulation(tree), new Map());
    for (let step = 0; step < 40; step += 1) world.step(0.25, step * 250);
    const pvKw = deviceOf(world, 'pv').powerKw;
    const still = { branch: 6 + pvKw, root: 27 + pvKw, twig: 2 + pvKw, other: 0 };

    expect(pvKw).toBeLessThan(-2.6);
    const flows = world.flowsKw();
    for (const [feederId, kw] of Object.entries(still)) {
      expect(flows[world.indexOfFeeder(feederId)]).toBeCloseTo(kw, 9);
    }
  });

  it('follows the homes as they are set by hand, and remembers its extremes', () => {
    const world = new World(tree, readSimulation(tree), new Map());
    world.setHouseholdLoadKw('other', 50);
    world.step(1, 1_000);
    world.setHouseholdLoadKw('other', -5);
    world.step(1, 2_000);
    expect(world.extremes('other')).toEqual({ lowKw: -5, highKw: 50 });

    world.setHouseholdLoadKw('other', null);
    world.step(1, 3_000);
    world.resetExtremes();
    expect(world.extremes('other')).toEqual({ lowKw: 0, highKw: 0 });
  });

  it('is unknown for a feeder that is not there', () => {
    const world = new World(tree, readSimulation(tree), new Map());
    expect(() => world.indexOfFeeder('nowhere')).toThrow('there is no feeder nowhere');
  });
});

function aWorld(simulation: Record<string, unknown>): World {
  const registry = {
    ...generateRegistry({ devices: 20, feeders: 2 }),
    simulation: { ev: { capacityKwh: [40, 80], startSoc: [0.1, 0.6], stayHours: [0.1, 0.3] }, ...simulation },
  };
  return new World(registry, readSimulation(registry), new Map());
}

/** Ten minutes of everything there is to see. */
function series(world: World): unknown[] {
  return Array.from({ length: 600 }, (_, second) => {
    world.step(1, second * 1_000);
    return [world.flowsKw(), world.devices.map(({ powerKw, soc, energyKwh }) => [powerKw, soc, energyKwh])];
  });
}

function deviceOf(world: World, deviceId: string) {
  const found = world.devices.find(({ traits }) => traits.deviceId === deviceId);
  if (found === undefined) throw new Error(`no device ${deviceId}`);
  return found;
}
