import { readRegistry } from '../../../contracts/registry-file';
import { generateRegistry } from '../../../simulator/generated-registry';

describe('a made-up fleet', () => {
  it('is a registry that can be applied', () => {
    const registry = generateRegistry({ devices: 25, feeders: 4 });
    expect(readRegistry(registry)).toEqual(registry);
  });

  it('deals its devices out evenly, each kind to each feeder', () => {
    const { devices } = generateRegistry({ devices: 3_000, feeders: 300 });
    const kinds = new Map<string, string[]>();
    for (const { feederId, deviceType } of devices) kinds.set(feederId, [...(kinds.get(feederId) ?? []), deviceType]);

    expect(kinds.size).toBe(300);
    for (const on of kinds.values()) {
      expect(on.sort()).toEqual(['battery', 'battery', 'battery', 'ev', 'ev', 'ev', 'ev', 'pv', 'pv', 'pv']);
    }
  });

  it('has to be held: its cars would draw more than the limit', () => {
    const { feeders, devices } = generateRegistry({ devices: 10, feeders: 1 });
    const wantedKw = devices.reduce(
      (sum, { deviceType, maxImportKw }) => sum + (deviceType === 'ev' ? (maxImportKw ?? 0) : 0),
      0,
    );

    expect(feeders).toEqual([{ feederId: 'sim-feeder-00001', importLimitKw: 30, exportLimitKw: 15, baseLoadKw: 10 }]);
    expect(wantedKw).toBe(44);
  });
});
