import { dispatchShortfalls } from '../../../domain/dispatch-shortfall';
import { planTree } from '../../../domain/plan-tree';
import { againstInForce, againstPlan, changed, type WhatIf } from '../../../domain/what-if';
import { aCommand, aDispatch, aFeeder, aMeter, anEv, aReading, aSnapshot, targetsOf } from './builders';

const snapshot = aSnapshot({
  feeders: [aFeeder({ importLimitKw: 30, meter: aMeter(10) })],
  devices: [
    anEv({ acknowledged: aCommand(22), reading: aReading({ powerKw: 22, soc: 0.5 }) }),
    anEv({ deviceId: 'second', reading: null }),
  ],
  dispatches: [aDispatch({ importLimitKw: 12 })],
});
const whatIf = (what: Partial<WhatIf>) =>
  changed(snapshot, { feeders: [], devices: [], dispatches: [], withoutDispatches: [], ...what });

describe('what if', () => {
  it('a limit, a base load or a meter were another', () => {
    const feeders = [{ feederId: 'feeder', importLimitKw: 5, flowKw: 40 }];
    expect(whatIf({ feeders }).feeders).toMatchObject([
      { importLimitKw: 5, exportLimitKw: 1000, meter: { flowKw: 40, ageSeconds: 0 } },
    ]);
  });

  it('a device said something else now, or for the first time', () => {
    const devices = [
      { deviceId: 'ev', soc: 0.1 },
      { deviceId: 'second', powerKw: 3, weight: 2 },
    ];
    expect(whatIf({ devices }).devices).toMatchObject([
      { reading: { powerKw: 22, soc: 0.1, ageSeconds: 0 } },
      { weight: 2, reading: { powerKw: 3, soc: null, online: true } },
    ]);
  });

  it('a dispatch were in force, or one that is were not', () => {
    const other = aDispatch({ dispatchId: 'other', importLimitKw: 4 });
    const asked = whatIf({ dispatches: [other], withoutDispatches: ['dispatch'] });
    expect(asked.dispatches.map(({ dispatchId }) => dispatchId)).toEqual(['other']);
  });

  it.each`
    what            | change                                            | code
    ${'a feeder'}   | ${{ feeders: [{ feederId: 'x' }] }}               | ${'FEEDER_NOT_FOUND'}
    ${'a device'}   | ${{ devices: [{ deviceId: 'x' }] }}               | ${'DEVICE_NOT_FOUND'}
    ${'a dispatch'} | ${{ withoutDispatches: ['x'] }}                   | ${'DISPATCH_NOT_FOUND'}
    ${'its feeder'} | ${{ dispatches: [aDispatch({ feederId: 'x' })] }} | ${'FEEDER_NOT_FOUND'}
  `('refuses $what that is not in the picture', ({ change, code }) => {
    expect(() => whatIf(change as Partial<WhatIf>)).toThrow(expect.objectContaining({ code: code as string }));
  });
});

it('compares targets with the command in force, else the default, or with another plan', () => {
  const plan = planTree(snapshot);
  expect(targetsOf(plan)['ev']).toBe(22);
  expect(againstInForce(snapshot, plan)[0]).toEqual({ deviceId: 'ev', inForceKw: 22, differenceKw: 0 });
  expect(againstInForce(snapshot, plan)[1]).toEqual({ deviceId: 'second', inForceKw: 0, differenceKw: 0 });
  const tighter = planTree(whatIf({ feeders: [{ feederId: 'feeder', importLimitKw: 0, flowKw: 22 }] }));
  expect(againstPlan(plan, tighter)[0]).toEqual({ deviceId: 'ev', inForceKw: 22, differenceKw: -22 });
});

describe('the shortfall of a dispatch', () => {
  const asking = (dispatch: Parameters<typeof aDispatch>[0], flowKw: number) => {
    const dispatches = [aDispatch(dispatch)];
    return dispatchShortfalls(
      dispatches,
      planTree(aSnapshot({ feeders: [aFeeder({ meter: aMeter(flowKw) })], dispatches })),
    );
  };

  it.each`
    what                         | dispatch                 | flowKw | shortfallKw
    ${'an import limit'}         | ${{ importLimitKw: 20 }} | ${32}  | ${12}
    ${'an import limit held'}    | ${{ importLimitKw: 40 }} | ${32}  | ${0}
    ${'an export limit'}         | ${{ exportLimitKw: 20 }} | ${-32} | ${12}
    ${'a target above the flow'} | ${{ targetKw: 40 }}      | ${32}  | ${8}
    ${'a target below the flow'} | ${{ targetKw: 20 }}      | ${32}  | ${12}
  `('is $shortfallKw kW for $what', ({ dispatch, flowKw, shortfallKw }) => {
    expect(asking(dispatch as object, flowKw as number)).toEqual([
      { dispatchId: 'dispatch', feederId: 'feeder', shortfallKw },
    ]);
  });
});
