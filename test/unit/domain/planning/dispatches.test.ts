import { planTree } from '../../../../domain/plan-tree';
import { aBattery, aDispatch, aFeeder, aMeter, anEv, aPv, aReading, aSnapshot, nodeOf, targetsOf } from '../builders';

describe('limits in force', () => {
  const limits = (dispatches: ReturnType<typeof aDispatch>[]) => {
    const { high, low } = nodeOf(
      planTree(aSnapshot({ feeders: [aFeeder({ importLimitKw: 100, exportLimitKw: 80 })], dispatches })),
    );
    const by = ({ kw, source }: typeof high) => [kw, source.kind === 'dispatch' ? source.dispatchId : source.kind];
    return { high: by(high), low: by(low) };
  };

  it("are the feeder's own without a dispatch", () => {
    expect(limits([])).toEqual({ high: [100, 'static'], low: [-80, 'static'] });
  });

  it('are narrowed by each dispatch: the tightest holds, and who narrowed is kept', () => {
    const dispatches = [
      aDispatch({ dispatchId: 'a', importLimitKw: 70 }),
      aDispatch({ dispatchId: 'b', importLimitKw: 60, exportLimitKw: 90 }),
      aDispatch({ dispatchId: 'c', importLimitKw: 65, exportLimitKw: 0 }),
    ];
    expect(limits(dispatches)).toEqual({ high: [60, 'b'], low: [0, 'c'] });
  });

  it('are one point under a target', () => {
    expect(limits([aDispatch({ targetKw: -30 })])).toEqual({ high: [-30, 'dispatch'], low: [-30, 'dispatch'] });
  });

  it('are never loosened: a target beyond the own limits is held at them', () => {
    expect(limits([aDispatch({ targetKw: 130 })])).toEqual({ high: [100, 'static'], low: [100, 'dispatch'] });
  });

  it('go to the lower primacy number where dispatches leave nothing of each other', () => {
    const weak = aDispatch({ dispatchId: 'weak', targetKw: 50, primacy: 9 });
    const strong = aDispatch({ dispatchId: 'strong', importLimitKw: 40, primacy: 1 });
    expect(limits([weak, strong])).toEqual({ high: [40, 'strong'], low: [40, 'weak'] });
  });
});

describe('a target', () => {
  it('is reached from below with batteries, whose power is certain', () => {
    const feeders = [aFeeder({ meter: aMeter(20) })];
    const plan = planTree(
      aSnapshot({ feeders, devices: [aBattery({ maxImportKw: 50 })], dispatches: [aDispatch({ targetKw: 45 })] }),
    );
    expect(targetsOf(plan)).toEqual({ battery: 25 });
    expect(nodeOf(plan)).toMatchObject({ binding: 'export', missingKw: 0 });
  });

  it('of import lets EVs have no more than it says, though none of them draws yet', () => {
    const feeders = [aFeeder({ meter: aMeter(10) })];
    const devices = [anEv({ deviceId: 'a' }), anEv({ deviceId: 'b' })];
    const plan = planTree(aSnapshot({ feeders, devices, dispatches: [aDispatch({ targetKw: 30 })] }));
    expect(targetsOf(plan)).toEqual({ a: 10, b: 10 });
    expect(nodeOf(plan).missingKw).toBe(0);
  });

  it('of export curtails no more than it says', () => {
    const plan = planTree(aSnapshot({ devices: [aPv({ givesKw: 80 })], dispatches: [aDispatch({ targetKw: -50 })] }));
    expect(targetsOf(plan)).toEqual({ pv: -50 });
  });

  it('that cannot be reached names what is missing', () => {
    const plan = planTree(
      aSnapshot({ devices: [aBattery({ maxExportKw: 10 })], dispatches: [aDispatch({ targetKw: -25 })] }),
    );
    expect(targetsOf(plan)).toEqual({ battery: -10 });
    expect(nodeOf(plan).missingKw).toBeCloseTo(15, 6);
  });
});

describe('a dispatch gives way', () => {
  const tree = (rootLimitKw: number) => [
    aFeeder({ feederId: 'root', importLimitKw: rootLimitKw, baseLoadKw: 30 }),
    aFeeder({ feederId: 'a', parentId: 'root' }),
    aFeeder({ feederId: 'b', parentId: 'root' }),
  ];
  const battery = (feederId: string) => aBattery({ deviceId: feederId, feederId, maxImportKw: 60, maxExportKw: 60 });

  it('to the wires above it, by just as much as they need', () => {
    const dispatches = [aDispatch({ feederId: 'a', targetKw: 50 })];
    const plan = planTree(aSnapshot({ feeders: tree(70), devices: [battery('a')], dispatches }));
    expect(targetsOf(plan)).toEqual({ a: 40 });
    expect(nodeOf(plan, 'root').missingKw).toBe(0);
    expect(nodeOf(plan, 'a').missingKw).toBeCloseTo(10, 6);
  });

  it('only after everything else below those wires has', () => {
    const dispatches = [aDispatch({ feederId: 'a', targetKw: 50 })];
    const plan = planTree(aSnapshot({ feeders: tree(70), devices: [battery('a'), battery('b')], dispatches }));
    expect(targetsOf(plan)).toEqual({ a: 50, b: -10 });
  });

  it('to another dispatch with a lower primacy number', () => {
    const dispatches = [
      aDispatch({ dispatchId: 'reach', feederId: 'a', targetKw: 50, primacy: 7 }),
      aDispatch({ dispatchId: 'cap', feederId: 'root', importLimitKw: 60, primacy: 2 }),
    ];
    const plan = planTree(aSnapshot({ feeders: tree(200), devices: [battery('a')], dispatches }));
    expect(targetsOf(plan)).toEqual({ a: 30 });
    const turned = dispatches.map((dispatch) => ({ ...dispatch, primacy: 9 - dispatch.primacy }));
    const other = planTree(aSnapshot({ feeders: tree(200), devices: [battery('a')], dispatches: turned }));
    expect(targetsOf(other)).toEqual({ a: 50 });
    expect(nodeOf(other, 'root').missingKw).toBeCloseTo(20, 6);
  });

  it('first of all the one with the highest primacy number', () => {
    const dispatches = [
      aDispatch({ dispatchId: 'weak', feederId: 'a', targetKw: 40, primacy: 7 }),
      aDispatch({ dispatchId: 'strong', feederId: 'b', targetKw: 40, primacy: 2 }),
    ];
    const plan = planTree(aSnapshot({ feeders: tree(80), devices: [battery('a'), battery('b')], dispatches }));
    expect(targetsOf(plan)).toEqual({ a: 10, b: 40 });
  });

  it('for export in the same way', () => {
    const feeders = [aFeeder({ feederId: 'root', exportLimitKw: 20 }), aFeeder({ feederId: 'a', parentId: 'root' })];
    const plan = planTree(
      aSnapshot({ feeders, devices: [battery('a')], dispatches: [aDispatch({ feederId: 'a', targetKw: -50 })] }),
    );
    expect(targetsOf(plan)).toEqual({ a: -20 });
  });
});

it('an import limit of a dispatch is held with the PV at what it gives now', () => {
  const devices = [aPv({ givesKw: 20 }), anEv({ reading: aReading({ powerKw: 22, soc: 0.3 }) })];
  const plan = planTree(
    aSnapshot({ feeders: [aFeeder({ meter: aMeter(42) })], devices, dispatches: [aDispatch({ importLimitKw: 30 })] }),
  );
  expect(targetsOf(plan)).toEqual({ pv: -100, ev: 10 });
});

it('refuses a dispatch for a feeder that is not in the tree', () => {
  expect(() => planTree(aSnapshot({ dispatches: [aDispatch({ feederId: 'gone' })] }))).toThrow(
    'dispatch dispatch is for feeder gone, which is not in the tree',
  );
});
