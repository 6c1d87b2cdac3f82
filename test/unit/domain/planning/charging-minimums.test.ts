import { planTree } from '../../../../domain/plan-tree';
import { aBattery, aFeeder, anEv, aReading, aSnapshot, NOON, planOf, several, targetsOf } from '../builders';

const charger = (device: Parameters<typeof anEv>[0] = {}) => anEv({ maxImportKw: 16, minImportKw: 6, ...device });
const plan = (importLimitKw: number, devices: ReturnType<typeof anEv>[]) =>
  targetsOf(planTree(aSnapshot({ feeders: [aFeeder({ importLimitKw })], devices })));

describe('an EV draws 0 or at least its minimum', () => {
  it('keeps as many charging as their minimums fit', () => {
    expect(plan(13, several(4, charger()))).toEqual({ 'ev-1': 0, 'ev-2': 0, 'ev-3': 6.5, 'ev-4': 6.5 });
    expect(plan(5, several(2, charger()))).toEqual({ 'ev-1': 0, 'ev-2': 0 });
  });

  it('lets the lowest weight wait first', () => {
    const devices = [
      charger({ deviceId: 'a', weight: 3 }),
      charger({ deviceId: 'b', weight: 1 }),
      charger({ deviceId: 'c', weight: 2 }),
    ];
    expect(plan(14, devices)).toEqual({ a: 8, b: 0, c: 6 });
  });

  it('takes from a higher weight what a lower one needs to charge at all, as long as both minimums fit', () => {
    expect(plan(20, [charger({ deviceId: 'high', weight: 10 }), charger({ deviceId: 'low', weight: 1 })])).toEqual({
      high: 14,
      low: 6,
    });
  });

  it('takes nothing from others for an EV without weight', () => {
    expect(plan(20, [charger({ deviceId: 'weighed' }), charger({ deviceId: 'unweighed', weight: 0 })])).toEqual({
      weighed: 16,
      unweighed: 0,
    });
  });

  it('takes from an EV without minimum what others need to charge at all', () => {
    const devices = [
      charger({ deviceId: 'least', minImportKw: 12 }),
      anEv({ deviceId: 'other', maxImportKw: 30, weight: 2 }),
    ];
    expect(plan(27, devices)).toEqual({ least: 12, other: 15 });
  });

  it('gives what a waiting EV leaves to others up to their maximum', () => {
    const devices = [charger({ deviceId: 'waits', minImportKw: 12 }), anEv({ deviceId: 'other', maxImportKw: 30 })];
    expect(plan(11, devices)).toEqual({ waits: 0, other: 11 });
  });

  it('asks batteries first, so that fewer wait', () => {
    expect(
      plan(10, [...several(3, charger({ reading: aReading({ soc: 0.5, powerKw: 6 }) })), aBattery({ maxExportKw: 8 })]),
    ).toEqual({
      'ev-1': 6,
      'ev-2': 6,
      'ev-3': 6,
      battery: -8,
    });
  });

  it('decides deeper limits first: what they leave goes up', () => {
    const feeders = [
      aFeeder({ feederId: 'root', importLimitKw: 24 }),
      aFeeder({ feederId: 'a', parentId: 'root', importLimitKw: 7 }),
      aFeeder({ feederId: 'b', parentId: 'root' }),
    ];
    const devices = [
      ...several(2, charger({ deviceId: 'a', feederId: 'a' })),
      ...several(3, charger({ deviceId: 'b', feederId: 'b' })),
    ];
    expect(targetsOf(planTree(aSnapshot({ feeders, devices })))).toEqual({
      'a-1': 0,
      'a-2': 6,
      'b-1': 6,
      'b-2': 6,
      'b-3': 6,
    });
  });

  it('keeps no minimum that a limit in between cannot bear', () => {
    const feeders = [
      aFeeder({ feederId: 'root', importLimitKw: 10 }),
      aFeeder({ feederId: 'narrow', parentId: 'root', importLimitKw: 5.5 }),
    ];
    const devices = [
      charger({ deviceId: 'inside', feederId: 'narrow', weight: 2 }),
      charger({ deviceId: 'outside', feederId: 'root' }),
    ];
    expect(targetsOf(planTree(aSnapshot({ feeders, devices })))).toEqual({ inside: 0, outside: 10 });
  });

  it('says which limit it waits for', () => {
    const waiting = planTree(aSnapshot({ feeders: [aFeeder({ importLimitKw: 8 })], devices: several(2, charger()) }));
    expect(planOf(waiting, 'ev-1')).toMatchObject({
      targetKw: 0,
      explanation: { boundBy: 'feeder', note: 'waits-for-turn', tier: 2 },
      waitsSinceMs: NOON,
    });
  });
});
