import { planTree } from '../../../domain/plan-tree';
import {
  aBattery,
  aCommand,
  aFeeder,
  aMeter,
  anEv,
  aPv,
  aReading,
  aSnapshot,
  nodeOf,
  NOON,
  obeyed,
  planOf,
  several,
  targetsOf,
} from './builders';

describe('the worked examples of the design', () => {
  it.each`
    chargers | kwEach
    ${3}     | ${11.67}
    ${4}     | ${8.75}
    ${5}     | ${7}
  `('shares 35 kW over $chargers chargers of 6 to 16 kW as $kwEach each', ({ chargers, kwEach }) => {
    const devices = several(chargers as number, anEv({ maxImportKw: 16, minImportKw: 6 }));
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ importLimitKw: 35 })], devices }));
    expect(new Set(Object.values(targetsOf(plan)))).toEqual(new Set([kwEach]));
  });

  it('gives five of six chargers 7 kW and lets one wait where only five minimums fit, another one after each rotation', () => {
    const devices = several(6, anEv({ maxImportKw: 16, minImportKw: 6 }));
    let snapshot = aSnapshot({ feeders: [aFeeder({ importLimitKw: 35 })], devices });
    const waited: string[] = [];
    for (let turn = 0; turn < 7; turn += 1) {
      const plan = planTree(snapshot);
      const waiting = plan.devices.find(({ explanation }) => explanation.note === 'waits-for-turn')?.deviceId ?? '';
      expect(planOf(plan, waiting)).toMatchObject({ targetKw: 0, explanation: { boundBy: 'feeder', tier: 2 } });
      waited.push(waiting);
      expect(Object.values(targetsOf(plan)).sort((a, b) => a - b)).toEqual([0, 7, 7, 7, 7, 7]);
      snapshot = { ...obeyed(snapshot, plan), nowMs: snapshot.nowMs + 900_000 };
    }
    expect(waited).toEqual(['ev-1', 'ev-2', 'ev-3', 'ev-4', 'ev-5', 'ev-6', 'ev-1']);
  });

  it('serves tier 1 before tier 2: a limit of 40 kW is 11, 11 for the weighed and 6, 6, 6 for those without weight', () => {
    const devices = [
      ...several(2, anEv({ deviceId: 'tier-1', maxImportKw: 11 })),
      ...several(3, anEv({ deviceId: 'tier-2', maxImportKw: 11, weight: 0 })),
    ];
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ importLimitKw: 40 })], devices }));
    expect(targetsOf(plan)).toEqual({ 'tier-1-1': 11, 'tier-1-2': 11, 'tier-2-1': 6, 'tier-2-2': 6, 'tier-2-3': 6 });
  });

  it('shares 3 kW over devices bounded by 0..10, 0..10 and 2..10 as 0.5, 0.5 and 2', () => {
    const devices = [
      ...several(2, anEv({ maxImportKw: 10 })),
      anEv({ deviceId: 'kept', maxImportKw: 10, minImportKw: 2 }),
    ];
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ importLimitKw: 3 })], devices }));
    expect(targetsOf(plan)).toEqual({ 'ev-1': 0.5, 'ev-2': 0.5, kept: 2 });
  });

  it('is infeasible when minimums of 30 kW meet a limit of 20: all at their minimum, that node, 10 kW over', () => {
    const devices = several(
      3,
      anEv({ maxImportKw: 16, acknowledged: aCommand(10), honoursExpiry: false, reading: null }),
    );
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ importLimitKw: 20 })], devices }));
    expect(targetsOf(plan)).toEqual({ 'ev-1': 10, 'ev-2': 10, 'ev-3': 10 });
    expect(nodeOf(plan)).toMatchObject({ feederId: 'feeder', missingKw: 10 });
  });

  it('holds a 100 kW substation over feeders of 30 and 90 kW: four 22 kW EVs get 7.5 on A, bound by A, and 17.5 on B, bound by the substation', () => {
    const plan = planTree(
      aSnapshot({
        feeders: [
          aFeeder({ feederId: 'substation', importLimitKw: 100 }),
          aFeeder({ feederId: 'a', parentId: 'substation', importLimitKw: 30 }),
          aFeeder({ feederId: 'b', parentId: 'substation', importLimitKw: 90 }),
        ],
        devices: [
          ...several(4, anEv({ deviceId: 'a', feederId: 'a' })),
          ...several(4, anEv({ deviceId: 'b', feederId: 'b' })),
        ],
      }),
    );
    expect(targetsOf(plan)).toEqual({
      'a-1': 7.5,
      'a-2': 7.5,
      'a-3': 7.5,
      'a-4': 7.5,
      'b-1': 17.5,
      'b-2': 17.5,
      'b-3': 17.5,
      'b-4': 17.5,
    });
    expect(planOf(plan, 'a-1').explanation.boundBy).toBe('a');
    expect(planOf(plan, 'b-1').explanation.boundBy).toBe('substation');
    expect(plan.nodes.map(({ feederId, binding }) => [feederId, binding])).toEqual([
      ['substation', 'import'],
      ['a', 'import'],
      ['b', 'none'],
    ]);
  });

  it('keeps more for a higher weight: weights 1, 2, 3 with maxima 11, 11, 5 under 12 kW keep 2.33, 4.67 and 5', () => {
    const devices = [
      anEv({ deviceId: 'a', weight: 1, maxImportKw: 11 }),
      anEv({ deviceId: 'b', weight: 2, maxImportKw: 11 }),
      anEv({ deviceId: 'c', weight: 3, maxImportKw: 5 }),
    ];
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ importLimitKw: 12 })], devices }));
    expect(targetsOf(plan)).toEqual({ a: 2.33, b: 4.67, c: 5 });
  });

  it('charges the battery before it curtails: export limit 50, PV 80, load 10, battery 15 gives battery +15, PV 75, export exactly 50', () => {
    const plan = planTree(
      aSnapshot({
        feeders: [aFeeder({ exportLimitKw: 50, meter: aMeter(-70) })],
        devices: [aPv({ maxExportKw: 80, givesKw: 80 }), aBattery({ maxImportKw: 15 })],
      }),
    );
    expect(targetsOf(plan)).toEqual({ pv: -75, battery: 15 });
    expect(nodeOf(plan)).toMatchObject({ uncontrolledHighKw: 10, binding: 'export', missingKw: 0 });
    expect(nodeOf(plan).plannedLowKw).toBeCloseTo(-50, 6);
  });

  it('does not discharge a battery at soc 0.14 with a reserve of 0.15, though it may charge', () => {
    const battery = aBattery({ reserveSoc: 0.15, reading: aReading({ soc: 0.14 }) });
    const importing = planTree(
      aSnapshot({ feeders: [aFeeder({ importLimitKw: 10, baseLoadKw: 15 })], devices: [battery] }),
    );
    expect(targetsOf(importing)).toEqual({ battery: 0 });
    expect(nodeOf(importing).missingKw).toBeCloseTo(5, 6);
    const exporting = planTree(
      aSnapshot({ feeders: [aFeeder({ exportLimitKw: 10, baseLoadKw: -15 })], devices: [battery] }),
    );
    expect(targetsOf(exporting)).toEqual({ battery: 5 });
  });

  it('names the node and the missing kW when the load alone breaks a limit, and still gives all relief there is', () => {
    const plan = planTree(
      aSnapshot({
        feeders: [aFeeder({ importLimitKw: 20, baseLoadKw: 40 })],
        devices: [anEv(), aBattery({ maxExportKw: 10 })],
      }),
    );
    expect(targetsOf(plan)).toEqual({ ev: 0, battery: -10 });
    expect(nodeOf(plan)).toMatchObject({ feederId: 'feeder', binding: 'import' });
    expect(nodeOf(plan).missingKw).toBeCloseTo(10, 6);
  });
});

describe('who gives way first', () => {
  it('discharges batteries before EVs give way when a feeder imports too much', () => {
    const feeders = (baseLoadKw: number) => [aFeeder({ importLimitKw: 50, baseLoadKw })];
    const charging = anEv({ maxImportKw: 22, reading: aReading({ soc: 0.5, powerKw: 22 }) });
    const devices = [charging, aBattery({ maxExportKw: 10 })];
    expect(targetsOf(planTree(aSnapshot({ feeders: feeders(20), devices })))).toEqual({ ev: 22, battery: 0 });
    expect(targetsOf(planTree(aSnapshot({ feeders: feeders(34), devices })))).toEqual({ ev: 22, battery: -6 });
    expect(targetsOf(planTree(aSnapshot({ feeders: feeders(45), devices })))).toEqual({ ev: 15, battery: -10 });
  });

  it('charges batteries, then lets EVs draw more, then curtails PV when a feeder exports too much', () => {
    const ev = anEv({
      targetSoc: 0.8,
      maxImportKw: 20,
      reading: aReading({ soc: 0.9, powerKw: 20 }),
      acknowledged: aCommand(20),
    });
    const devices = [aPv({ givesKw: 100 }), aBattery({ maxImportKw: 10 }), ev];
    const at = (exportLimitKw: number) =>
      targetsOf(planTree(aSnapshot({ feeders: [aFeeder({ exportLimitKw })], devices })));
    expect(at(100)).toEqual({ pv: -100, battery: 0, ev: 0 });
    expect(at(94)).toEqual({ pv: -100, battery: 6, ev: 0 });
    expect(at(75)).toEqual({ pv: -100, battery: 10, ev: 15 });
    expect(at(60)).toEqual({ pv: -90, battery: 10, ev: 20 });
  });

  it('lets EVs without weight give way before all others, and batteries without weight help last', () => {
    const charging = { maxImportKw: 10, reading: aReading({ soc: 0.5, powerKw: 10 }) };
    const devices = [
      anEv({ ...charging, deviceId: 'ev-first', weight: 0 }),
      anEv({ ...charging, deviceId: 'ev-later' }),
      aBattery({ deviceId: 'helps-last', weight: 0, maxExportKw: 5 }),
      aBattery({ deviceId: 'helps-first', maxExportKw: 5 }),
    ];
    const at = (importLimitKw: number) =>
      targetsOf(planTree(aSnapshot({ feeders: [aFeeder({ importLimitKw })], devices })));
    expect(at(16)).toEqual({ 'ev-first': 10, 'ev-later': 10, 'helps-last': 0, 'helps-first': -4 });
    expect(at(12)).toEqual({ 'ev-first': 10, 'ev-later': 10, 'helps-last': -3, 'helps-first': -5 });
    expect(at(3)).toEqual({ 'ev-first': 3, 'ev-later': 10, 'helps-last': -5, 'helps-first': -5 });
  });

  it('shares curtailment by weight: what a PV keeps is in proportion to it', () => {
    const devices = [aPv({ deviceId: 'a', givesKw: 60 }), aPv({ deviceId: 'b', givesKw: 60, weight: 3 })];
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ exportLimitKw: 40 })], devices }));
    expect(targetsOf(plan)).toEqual({ a: -10, b: -30 });
    expect(planOf(plan, 'a').explanation).toMatchObject({ tier: 3, boundBy: 'feeder', note: 'bound-by-node' });
  });

  it('follows a battery schedule and returns to it', () => {
    const plan = planTree(aSnapshot({ devices: [aBattery({ scheduledPowerKw: 4 })] }));
    expect(targetsOf(plan)).toEqual({ battery: 4 });
    expect(planOf(plan, 'battery').explanation).toEqual({ level: 0, tier: 0, boundBy: null, note: 'free' });
  });
});

describe('what a device wants and may do', () => {
  it.each`
    what                                                    | device                                                                      | targetKw
    ${'an EV below its target soc wants its maximum'}       | ${anEv({ reading: aReading({ soc: 0.7 }), targetSoc: 0.8 })}                | ${22}
    ${'an EV that does not tell its soc wants its maximum'} | ${anEv({ reading: aReading(), targetSoc: 0.8 })}                            | ${22}
    ${'an EV at its target soc wants nothing'}              | ${anEv({ reading: aReading({ soc: 0.8 }), targetSoc: 0.8 })}                | ${0}
    ${'a PV is free to give its rating'}                    | ${aPv({ givesKw: 3, maxExportKw: 10 })}                                     | ${-10}
    ${'a battery without schedule idles'}                   | ${aBattery()}                                                               | ${0}
    ${'a schedule is held to the rating'}                   | ${aBattery({ scheduledPowerKw: -30 })}                                      | ${-10}
    ${'a full battery does not charge'}                     | ${aBattery({ scheduledPowerKw: 5, targetSoc: 0.5 })}                        | ${0}
    ${'a battery at its reserve does not discharge'}        | ${aBattery({ scheduledPowerKw: -5, reserveSoc: 0.5 })}                      | ${0}
    ${'a battery of unknown soc respects its reserve'}      | ${aBattery({ scheduledPowerKw: -5, reserveSoc: 0.1, reading: aReading() })} | ${0}
  `('$what', ({ device, targetKw }) => {
    const plan = planTree(aSnapshot({ devices: [device] }));
    expect(plan.devices.map((planned) => planned.targetKw)).toEqual([targetKw]);
  });

  it('judges import with a PV at what it measures, however wide its cap', () => {
    const devices = [aPv({ maxExportKw: 100, givesKw: 10 }), anEv({ maxImportKw: 80 })];
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ importLimitKw: 30 })], devices }));
    expect(targetsOf(plan)).toEqual({ pv: -100, ev: 40 });
  });

  it('judges export with an EV at what it measures, however wide its allowance', () => {
    const devices = [aPv({ maxExportKw: 100, givesKw: 60 }), anEv({ maxImportKw: 80 })];
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ exportLimitKw: 50 })], devices }));
    expect(targetsOf(plan)).toEqual({ pv: -50, ev: 80 });
  });

  it('holds import and export at once: EVs that might draw and PV that might give are both held, batteries stay idle', () => {
    const devices = [aPv({ maxExportKw: 200, givesKw: 40, acknowledged: aCommand(-40) }), anEv({ maxImportKw: 220 })];
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ importLimitKw: 40, exportLimitKw: 40 })], devices }));
    expect(targetsOf(plan)).toEqual({ pv: -40, ev: 80 });
    expect(nodeOf(plan).missingKw).toBe(0);
  });

  it('takes a PV held at its cap as able to give its rating: the battery charges, and the cap opens when it does', () => {
    const held = aPv({ maxExportKw: 80, givesKw: 60, acknowledged: aCommand(-60) });
    const snapshot = aSnapshot({
      feeders: [aFeeder({ exportLimitKw: 60 })],
      devices: [held, aBattery({ maxImportKw: 15 })],
    });
    const plan = planTree(snapshot);
    expect(targetsOf(plan)).toEqual({ pv: -60, battery: 15 });
    expect(planOf(plan, 'pv').explanation).toMatchObject({ boundBy: 'feeder', note: 'waits-for-relief' });
    expect(targetsOf(planTree(obeyed(snapshot, plan)))).toEqual({ pv: -75, battery: 15 });
  });

  it('takes a PV below its cap at what it measures plus a tenth of its rating', () => {
    const clouded = aPv({ deviceId: 'clouded', maxExportKw: 100, givesKw: 20, acknowledged: aCommand(-40) });
    const held = aPv({ deviceId: 'held', maxExportKw: 100, givesKw: 40, acknowledged: aCommand(-40) });
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ exportLimitKw: 80 })], devices: [clouded, held] }));
    expect(targetsOf(plan)).toEqual({ clouded: -30, held: -50 });
  });

  it('takes an EV below its allowance at what it measures plus a tenth of its rating, so that others get what it leaves', () => {
    const slow = anEv({ deviceId: 'slow', reading: aReading({ powerKw: 4, soc: 0.5 }), acknowledged: aCommand(10) });
    const held = anEv({ deviceId: 'held', reading: aReading({ powerKw: 10, soc: 0.5 }), acknowledged: aCommand(10) });
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ importLimitKw: 20 })], devices: [slow, held] }));
    expect(targetsOf(plan)).toEqual({ slow: 6.2, held: 13.8 });
  });

  it('does not discharge a battery for an EV that is not there', () => {
    const absent = anEv({ reading: aReading({ powerKw: 0 }), acknowledged: aCommand(22) });
    const plan = planTree(
      aSnapshot({ feeders: [aFeeder({ importLimitKw: 10, baseLoadKw: 5 })], devices: [absent, aBattery()] }),
    );
    expect(targetsOf(plan)).toEqual({ ev: 5, battery: 0 });
  });
});

describe('ramps', () => {
  const slow = { rampKwPerS: 0.2 }; // 2 kW a cycle

  it.each`
    what                                         | device                                                                                             | targetKw
    ${'an EV is restored step by step'}          | ${anEv({ ...slow, acknowledged: aCommand(5), reading: aReading({ powerKw: 5 }) })}                 | ${7}
    ${'a PV cap is restored step by step'}       | ${aPv({ ...slow, acknowledged: aCommand(-40), givesKw: 40 })}                                      | ${-42}
    ${'a battery returns to idle step by step'}  | ${aBattery({ ...slow, acknowledged: aCommand(-9), reading: aReading({ powerKw: -9, soc: 0.5 }) })} | ${-7}
    ${'an EV that waited starts at its minimum'} | ${anEv({ ...slow, minImportKw: 6, acknowledged: aCommand(0) })}                                    | ${6}
  `('$what', ({ device, targetKw }) => {
    const plan = planTree(aSnapshot({ devices: [device] }));
    expect(plan.devices[0]?.targetKw).toBeCloseTo(targetKw as number, 6);
    expect(plan.devices[0]?.explanation.note).toBe('ramping');
  });

  it('never slow a cut', () => {
    const devices = [anEv({ ...slow, acknowledged: aCommand(22), reading: aReading({ powerKw: 22, soc: 0.5 }) })];
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ importLimitKw: 4 })], devices }));
    expect(targetsOf(plan)).toEqual({ ev: 4 });
  });

  it('never slow relief: a battery that discharged charges at once when export needs it', () => {
    const battery = aBattery({ ...slow, acknowledged: aCommand(-9), reading: aReading({ powerKw: -9, soc: 0.5 }) });
    const plan = planTree(
      aSnapshot({ feeders: [aFeeder({ exportLimitKw: 10, baseLoadKw: -18 })], devices: [battery] }),
    );
    expect(targetsOf(plan)).toEqual({ battery: 8 });
  });

  it('give what a slow device cannot take yet to the others', () => {
    const ramping = anEv({ ...slow, deviceId: 'slow', acknowledged: aCommand(3), reading: aReading({ powerKw: 3 }) });
    const plan = planTree(
      aSnapshot({ feeders: [aFeeder({ importLimitKw: 20 })], devices: [ramping, anEv({ deviceId: 'quick' })] }),
    );
    expect(targetsOf(plan)).toEqual({ slow: 5, quick: 15 });
  });
});

describe('a plan', () => {
  it('is the same, to the bit, whatever the order of feeders and devices', () => {
    const feeders = [
      aFeeder({ feederId: 'root', importLimitKw: 33 }),
      aFeeder({ feederId: 'a', parentId: 'root' }),
      aFeeder({ feederId: 'b', parentId: 'root', importLimitKw: 17.3 }),
    ];
    const devices = [
      ...several(7, anEv({ feederId: 'a', maxImportKw: 7.4 })),
      ...several(5, aBattery({ feederId: 'b', maxExportKw: 1.1 })),
    ];
    const plan = planTree(aSnapshot({ feeders, devices }));
    const turned = planTree(aSnapshot({ feeders: feeders.toReversed(), devices: devices.toReversed() }));
    expect(turned).toEqual(plan);
  });

  it('lists devices by id and nodes from the root down', () => {
    const feeders = [
      aFeeder({ feederId: 'z', parentId: 'm' }),
      aFeeder({ feederId: 'm', parentId: 'root' }),
      aFeeder({ feederId: 'root' }),
      aFeeder({ feederId: 'a', parentId: 'root' }),
    ];
    const devices = [anEv({ deviceId: 'b', feederId: 'z' }), anEv({ deviceId: 'a', feederId: 'm' })];
    const plan = planTree(aSnapshot({ feeders, devices }));
    expect(plan.devices.map(({ deviceId }) => deviceId)).toEqual(['a', 'b']);
    expect(plan.nodes.map(({ feederId }) => feederId)).toEqual(['root', 'a', 'm', 'z']);
  });

  it('treats manual mode like automatic', () => {
    const snapshot = aSnapshot({ feeders: [aFeeder({ importLimitKw: 10 })], devices: several(3, anEv()) });
    expect(planTree({ ...snapshot, mode: 'manual' })).toEqual(planTree(snapshot));
  });

  it('works with no devices and says what flows', () => {
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ meter: aMeter(12) })] }));
    expect(plan.nodes[0]).toMatchObject({
      measuredKw: 12,
      plannedHighKw: 12,
      plannedLowKw: 12,
      meteredUncontrolledKw: { highKw: 12, lowKw: 12 },
    });
  });
});

describe('a disabled tree', () => {
  it('is told the default of each device once, its limits notwithstanding', () => {
    const devices = [
      anEv({ acknowledged: aCommand(5) }),
      aBattery({ acknowledged: aCommand(0, -500) }),
      aPv({ maxExportKw: 30, givesKw: 10 }),
      anEv({ deviceId: 'ev-own-default', defaultPowerKw: 4, pending: { ...aCommand(4), lowKw: 4, highKw: 4 } }),
    ];
    const plan = planTree(aSnapshot({ mode: 'disabled', feeders: [aFeeder({ exportLimitKw: 5 })], devices }));
    expect(
      plan.devices.map(({ deviceId, targetKw, publish, explanation }) => [
        deviceId,
        targetKw,
        publish,
        explanation.note,
      ]),
    ).toEqual([
      ['battery', 0, 'none', 'default'],
      ['ev', 0, 'change', 'default'],
      ['ev-own-default', 4, 'change', 'default'],
      ['pv', -30, 'change', 'default'],
    ]);
    expect(nodeOf(plan)).toMatchObject({ binding: 'none', plannedLowKw: -30, missingKw: 25 });
  });

  it('leaves a PV alone whose default nobody knows', () => {
    const plan = planTree(aSnapshot({ mode: 'disabled', devices: [aPv({ maxExportKw: null, givesKw: 7 })] }));
    expect(planOf(plan, 'pv')).toMatchObject({ targetKw: -7, publish: 'none' });
  });
});

describe('refuses, naming what is wrong', () => {
  const feeder = aFeeder();
  it.each`
    what                       | change                                                                                                         | code                     | message
    ${'a number not finite'}   | ${{ devices: [anEv({ weight: NaN })] }}                                                                        | ${'DEVICE_INVALID'}      | ${'device ev: weight is NaN, not a finite number'}
    ${'a reading not finite'}  | ${{ devices: [anEv({ reading: aReading({ powerKw: Infinity }) })] }}                                           | ${'DEVICE_INVALID'}      | ${'device ev: reading.powerKw is Infinity, not a finite number'}
    ${'a negative weight'}     | ${{ devices: [anEv({ weight: -1 })] }}                                                                         | ${'DEVICE_INVALID'}      | ${'device ev: weight is -1, below 0'}
    ${'a negative rating'}     | ${{ devices: [aPv({ maxExportKw: -5 })] }}                                                                     | ${'DEVICE_INVALID'}      | ${'device pv: maxExportKw is -5, below 0'}
    ${'an unknown feeder'}     | ${{ devices: [anEv({ feederId: 'x' })] }}                                                                      | ${'DEVICE_INVALID'}      | ${'device ev hangs on feeder x, which is not in the tree'}
    ${'a device listed twice'} | ${{ devices: [anEv(), anEv()] }}                                                                               | ${'DEVICE_INVALID'}      | ${'device ev is listed twice'}
    ${'a negative limit'}      | ${{ feeders: [aFeeder({ importLimitKw: -1 })] }}                                                               | ${'FEEDER_TREE_INVALID'} | ${'feeder feeder: importLimitKw is -1, below 0'}
    ${'a meter not finite'}    | ${{ feeders: [aFeeder({ meter: aMeter(NaN) })] }}                                                              | ${'FEEDER_TREE_INVALID'} | ${'feeder feeder: meter.flowKw is NaN, not a finite number'}
    ${'no feeder at all'}      | ${{ feeders: [] }}                                                                                             | ${'FEEDER_TREE_INVALID'} | ${'the tree has no root: every feeder has a parent'}
    ${'two roots'}             | ${{ feeders: [feeder, aFeeder({ feederId: 'other' })] }}                                                       | ${'FEEDER_TREE_INVALID'} | ${'the tree has 2 roots: feeder, other'}
    ${'a circle'}              | ${{ feeders: [feeder, aFeeder({ feederId: 'a', parentId: 'b' }), aFeeder({ feederId: 'b', parentId: 'a' })] }} | ${'FEEDER_TREE_INVALID'} | ${'feeders that hang in a circle: a, b'}
    ${'an unknown parent'}     | ${{ feeders: [feeder, aFeeder({ feederId: 'a', parentId: 'x' })] }}                                            | ${'FEEDER_TREE_INVALID'} | ${'feeder a hangs on x, which is not in the tree'}
    ${'a feeder listed twice'} | ${{ feeders: [feeder, feeder] }}                                                                               | ${'FEEDER_TREE_INVALID'} | ${'feeder feeder is listed twice'}
    ${'a time not finite'}     | ${{ nowMs: NaN }}                                                                                              | ${'FEEDER_TREE_INVALID'} | ${'the plan: nowMs is NaN, not a finite number'}
  `('$what', ({ change, code, message }) => {
    expect(() => planTree(aSnapshot({ nowMs: NOON, ...(change as object) }))).toThrow(
      expect.objectContaining({ code: code as string, message: message as string }),
    );
  });
});
