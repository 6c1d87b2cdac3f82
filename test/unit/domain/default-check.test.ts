import { defaultOverloads } from '../../../domain/default-check';
import { aBattery, aFeeder, anEv, aPv, several } from './builders';

describe('the check of all defaults together', () => {
  const feeders = [
    aFeeder({ feederId: 'root', exportLimitKw: 100, importLimitKw: 100 }),
    aFeeder({ feederId: 'a', parentId: 'root', exportLimitKw: 50, importLimitKw: 40, baseLoadKw: 10 }),
  ];

  it('names each node that would break, the side and by how much', () => {
    const devices = [
      ...several(2, aPv({ feederId: 'a', maxExportKw: 40 })),
      ...several(2, aPv({ deviceId: 'root-pv', feederId: 'root', maxExportKw: 25 })),
    ];
    expect(defaultOverloads(feeders, devices)).toEqual([
      { feederId: 'root', side: 'export', flowKw: -120, overKw: 20 },
      { feederId: 'a', side: 'export', flowKw: -70, overKw: 20 },
    ]);
  });

  it('counts what the registry says instead of the default of the type', () => {
    const devices = several(5, anEv({ feederId: 'a', defaultPowerKw: 7 }));
    expect(defaultOverloads(feeders, devices)).toEqual([{ feederId: 'a', side: 'import', flowKw: 45, overKw: 5 }]);
  });

  it('is silent when all is well, and about a PV that nobody has rated', () => {
    const devices = [anEv({ feederId: 'a' }), aBattery({ feederId: 'a' }), aPv({ feederId: 'a', maxExportKw: null })];
    expect(defaultOverloads(feeders, devices)).toEqual([]);
  });

  it('refuses a device on an unknown feeder', () => {
    expect(() => defaultOverloads(feeders, [anEv({ feederId: 'x' })])).toThrow('device ev hangs on unknown feeder x');
  });
});
