import { planTree } from '../../../../domain/plan-tree';
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
  planOf,
  targetsOf,
  NOON,
} from '../builders';

const silent = { ageSeconds: 31 };

describe('uncontrolled flow', () => {
  const ev = (powerKw: number) => anEv({ reading: aReading({ powerKw }) });

  it('is what the meter shows less what the devices below it measure', () => {
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ meter: aMeter(50) })], devices: [ev(12)] }));
    expect(nodeOf(plan)).toMatchObject({
      uncontrolledHighKw: 38,
      uncontrolledLowKw: 38,
      measuredKw: 50,
      meterStale: false,
    });
  });

  it('is the base load without a meter, with that of the children', () => {
    const feeders = [aFeeder({ baseLoadKw: 5 }), aFeeder({ feederId: 'child', parentId: 'feeder', baseLoadKw: 7 })];
    const plan = planTree(aSnapshot({ feeders }));
    expect(nodeOf(plan)).toMatchObject({ uncontrolledHighKw: 12, measuredKw: null, meteredUncontrolledKw: null });
  });

  it('of a subtree is settled by its own meter: children metered or not change nothing', () => {
    const feeders = [
      aFeeder({ meter: aMeter(100) }),
      aFeeder({ feederId: 'metered', parentId: 'feeder', meter: aMeter(60) }),
      aFeeder({ feederId: 'unmetered', parentId: 'feeder', baseLoadKw: 90 }),
    ];
    const devices = [{ ...ev(10), feederId: 'metered' }];
    const plan = planTree(aSnapshot({ feeders, devices }));
    expect(plan.nodes.map(({ feederId, uncontrolledHighKw }) => [feederId, uncontrolledHighKw])).toEqual([
      ['feeder', 90],
      ['metered', 50],
      ['unmetered', 90],
    ]);
  });

  it('above a metered child without a meter of its own is that of the child and its base load', () => {
    const feeders = [
      aFeeder({ baseLoadKw: 3 }),
      aFeeder({ feederId: 'child', parentId: 'feeder', meter: aMeter(-20) }),
    ];
    expect(nodeOf(planTree(aSnapshot({ feeders })))).toMatchObject({ uncontrolledHighKw: -17, uncontrolledLowKw: -17 });
  });

  it('of a stale meter is its worst of the last hour, for import and for export', () => {
    const meter = aMeter(50, { ...silent, worstUncontrolledKw: { highKw: 70, lowKw: -10 } });
    const plan = planTree(
      aSnapshot({
        feeders: [aFeeder({ meter, importLimitKw: 80, exportLimitKw: 30 })],
        devices: [ev(0), aPv({ givesKw: 40 })],
      }),
    );
    expect(nodeOf(plan)).toMatchObject({
      meterStale: true,
      measuredKw: null,
      uncontrolledHighKw: 70,
      uncontrolledLowKw: -10,
    });
    expect(targetsOf(plan)).toEqual({ ev: 22, pv: -20 });
  });

  it('of a meter that went stale before its first hour is the worse of what it last said and the base load', () => {
    const meter = aMeter(50, silent);
    const atBaseLoad = (baseLoadKw: number) =>
      nodeOf(planTree(aSnapshot({ feeders: [aFeeder({ meter, baseLoadKw })] })));
    expect(atBaseLoad(60)).toMatchObject({ uncontrolledHighKw: 60, uncontrolledLowKw: 50 });
    expect(atBaseLoad(40)).toMatchObject({ uncontrolledHighKw: 50, uncontrolledLowKw: 40 });
  });

  it('holds unrated devices at what they measure, and they are listed and left alone', () => {
    const unrated = anEv({ deviceId: 'unrated', maxImportKw: null, reading: aReading({ powerKw: 9 }) });
    const plan = planTree(
      aSnapshot({ feeders: [aFeeder({ importLimitKw: 20, baseLoadKw: 1 })], devices: [unrated, ev(0)] }),
    );
    expect(plan.unratedDevices).toEqual(['unrated']);
    expect(planOf(plan, 'unrated')).toMatchObject({ targetKw: 9, publish: 'none', explanation: { note: 'unrated' } });
    expect(targetsOf(plan)).toEqual({ unrated: 9, ev: 10 });
    expect(nodeOf(plan).uncontrolledHighKw).toBe(10);
  });
});

describe('a silent device counts at the worst of what it may do', () => {
  it.each`
    what                                                                                         | device                                                                                                                   | highKw | lowKw
    ${'an EV with an allowance of 11 kW that drew 7'}                                            | ${anEv({ reading: aReading({ ...silent, powerKw: 7 }), acknowledged: aCommand(11) })}                                    | ${11}  | ${0}
    ${'the same when the allowance has expired: its default'}                                    | ${anEv({ reading: aReading({ ...silent, powerKw: 7 }), acknowledged: aCommand(11, -20) })}                               | ${0}   | ${0}
    ${'the same when it has just expired: it may not have let go yet'}                           | ${anEv({ reading: aReading({ ...silent, powerKw: 7 }), acknowledged: aCommand(11, -1) })}                                | ${7}   | ${0}
    ${'the same when it does not honour expiry: for ever'}                                       | ${anEv({ honoursExpiry: false, reading: aReading({ ...silent, powerKw: 7 }), acknowledged: aCommand(11, -900) })}        | ${11}  | ${0}
    ${'a PV capped at 40 of 100 kW that gave 38: import at what it gave, export at its default'} | ${aPv({ reading: aReading({ ...silent, powerKw: -38 }), acknowledged: aCommand(-40) })}                                  | ${-38} | ${-100}
    ${'a battery told to give 8 kW, default idle'}                                               | ${aBattery({ reading: aReading({ ...silent, powerKw: -8 }), acknowledged: aCommand(-8) })}                               | ${0}   | ${-8}
    ${'a battery with an unacknowledged command: all it may have'}                               | ${aBattery({ reading: aReading(silent), acknowledged: aCommand(2), pending: { ...aCommand(5), lowKw: -3, highKw: 5 } })} | ${5}   | ${-3}
    ${'a device never heard of'}                                                                 | ${aPv({ maxExportKw: 30, reading: null })}                                                                               | ${0}   | ${-30}
    ${'a device that says it is offline'}                                                        | ${anEv({ reading: aReading({ online: false }), acknowledged: aCommand(6) })}                                             | ${6}   | ${0}
    ${'a device with a fault'}                                                                   | ${aBattery({ reading: aReading({ faultCode: 'E7' }), acknowledged: aCommand(6) })}                                       | ${6}   | ${0}
  `('$what: $highKw kW for import, $lowKw kW for export', ({ device, highKw, lowKw }) => {
    const plan = planTree(aSnapshot({ devices: [device] }));
    expect(nodeOf(plan)).toMatchObject({ plannedHighKw: highKw as number, plannedLowKw: lowKw as number });
    expect(plan.devices[0]?.publish).toBe('none');
  });

  it('so that others make room for it', () => {
    const gone = anEv({ deviceId: 'gone', reading: aReading({ ...silent, powerKw: 11 }), acknowledged: aCommand(11) });
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ importLimitKw: 20 })], devices: [gone, anEv()] }));
    expect(targetsOf(plan)).toEqual({ gone: 11, ev: 9 });
    expect(planOf(plan, 'gone').explanation.note).toBe('silent');
  });

  it('once, not twice, when a meter has it in its flow: gone to its default, it leaves the metered flow as it is', () => {
    const gone = anEv({ reading: aReading({ ...silent, powerKw: 11 }), acknowledged: aCommand(11, -20) });
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ meter: aMeter(30) })], devices: [gone] }));
    expect(nodeOf(plan)).toMatchObject({ plannedHighKw: 30, plannedLowKw: 30 });
  });

  it('once, when its command expired just before the meter was read: what it let go is no load that nobody controls', () => {
    const gone = anEv({ reading: aReading({ ...silent, powerKw: 11 }), acknowledged: aCommand(11, -1) });
    const meter = aMeter(30, { lastUncontrolledKw: { lowKw: 19, highKw: 19 } });
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ meter })], devices: [gone] }));
    expect(nodeOf(plan)).toMatchObject({ uncontrolledHighKw: 19, plannedHighKw: 30, plannedLowKw: 19 });
  });

  it('and is listed as stale for 150 s, then as offline', () => {
    const at = (deviceId: string, ageSeconds: number) => anEv({ deviceId, reading: aReading({ ageSeconds }) });
    const devices = [
      at('fresh', 30),
      at('stale', 31),
      at('still-stale', 180),
      at('offline', 181),
      anEv({ deviceId: 'unseen', reading: null }),
    ];
    const plan = planTree(aSnapshot({ devices }));
    expect(plan.staleDevices).toEqual(['stale', 'still-stale']);
    expect(plan.offlineDevices).toEqual(['offline', 'unseen']);
  });

  it('and is sent nothing new; its command is kept alive only where its default would move more', () => {
    const reading = aReading({ ...silent, powerKw: -40 });
    const curtailed = aPv({ deviceId: 'curtailed', reading, acknowledged: aCommand(-40, 25) });
    const plan = planTree(
      aSnapshot({
        devices: [
          curtailed,
          { ...curtailed, deviceId: 'not-yet', acknowledged: aCommand(-40, 50) },
          { ...curtailed, deviceId: 'too-late', acknowledged: aCommand(-40, -1) },
          anEv({ deviceId: 'charging', reading: aReading(silent), acknowledged: aCommand(11, 25) }),
        ],
      }),
    );
    expect(plan.devices.map(({ deviceId, targetKw, publish }) => [deviceId, targetKw, publish])).toEqual([
      ['charging', 11, 'none'],
      ['curtailed', -40, 'renewal'],
      ['not-yet', -40, 'none'],
      ['too-late', -100, 'none'],
    ]);
  });
});

describe('a device that does not do what it was told', () => {
  const told = (targetKw: number, powerKw: number, offSetpointCycles: number) =>
    aBattery({ acknowledged: aCommand(targetKw), reading: aReading({ powerKw, soc: 0.5 }), offSetpointCycles });

  it.each`
    what                                      | device                                                                                          | cycles
    ${'a battery far off its setpoint'}       | ${told(5, 0, 1)}                                                                                | ${2}
    ${'a battery within tolerance'}           | ${told(5, 4.6, 1)}                                                                              | ${0}
    ${'an EV above its allowance'}            | ${anEv({ acknowledged: aCommand(5), reading: aReading({ powerKw: 8 }) })}                       | ${1}
    ${'an EV below its allowance'}            | ${anEv({ acknowledged: aCommand(5), reading: aReading({ powerKw: 1 }), offSetpointCycles: 2 })} | ${0}
    ${'a PV above its cap'}                   | ${aPv({ acknowledged: aCommand(-40), givesKw: 60 })}                                            | ${1}
    ${'a PV below its cap'}                   | ${aPv({ acknowledged: aCommand(-40), givesKw: 10, offSetpointCycles: 2 })}                      | ${0}
    ${'a device with nothing in force'}       | ${aBattery({ acknowledged: aCommand(5, -1), offSetpointCycles: 1 })}                            | ${1}
    ${'a sample older than the command'}      | ${{ ...told(5, 0, 1), acknowledged: aCommand(5, 59.5) }}                                        | ${1}
    ${'a device between old and new command'} | ${{ ...told(5, 0, 1), pending: { ...aCommand(-5), lowKw: -5, highKw: -5 } }}                    | ${0}
  `('counts $cycles cycles: $what', ({ device, cycles }) => {
    expect(planTree(aSnapshot({ devices: [device] })).devices[0]?.offSetpointCycles).toBe(cycles);
  });

  it('is planned at what it measures from the third cycle on, its share goes to others, and it is listed', () => {
    const greedy = anEv({
      deviceId: 'greedy',
      acknowledged: aCommand(5),
      reading: aReading({ powerKw: 8 }),
      offSetpointCycles: 2,
    });
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ importLimitKw: 20 })], devices: [greedy, anEv()] }));
    expect(plan.notFollowingDevices).toEqual(['greedy']);
    expect(planOf(plan, 'greedy')).toMatchObject({
      targetKw: 8,
      publish: 'none',
      explanation: { note: 'not-following' },
    });
    expect(planOf(plan, 'ev').targetKw).toBe(12);
  });

  it('is tried again after 300 s', () => {
    const device = (notFollowingUntilMs: number) => ({ ...told(5, 0, 3), acknowledged: null, notFollowingUntilMs });
    const snapshot = aSnapshot();
    const plan = (untilMs: number) => planTree({ ...snapshot, devices: [device(untilMs)] }).devices[0];
    expect(planTree({ ...snapshot, devices: [told(5, 0, 2)] }).devices[0]?.notFollowingUntilMs).toBe(
      snapshot.nowMs + 300_000,
    );
    expect(plan(snapshot.nowMs + 1)).toMatchObject({ offSetpointCycles: 3, explanation: { note: 'not-following' } });
    expect(plan(snapshot.nowMs)).toMatchObject({ offSetpointCycles: 0, notFollowingUntilMs: null, publish: 'change' });
  });
});

it('counts a device that had time to settle and is off its setpoint at what it measures, and asks it on', () => {
  const stubborn = anEv({ deviceId: 'stubborn', acknowledged: aCommand(5), reading: aReading({ powerKw: 16 }) });
  const plan = planTree(aSnapshot({ feeders: [aFeeder({ importLimitKw: 30 })], devices: [stubborn, anEv()] }));
  expect(planOf(plan, 'stubborn')).toMatchObject({
    targetKw: 16,
    publish: 'none',
    offSetpointCycles: 1,
    explanation: { note: 'off-setpoint' },
  });
  expect(planOf(plan, 'ev').targetKw).toBeCloseTo(14, 9);
  expect(plan.notFollowingDevices).toEqual([]);
  const renewed = { ...stubborn, acknowledged: aCommand(5, 20) };
  expect(planOf(planTree(aSnapshot({ devices: [renewed] })), 'stubborn')).toMatchObject({
    targetKw: 5,
    publish: 'renewal',
  });
});

it('counts one at once that moves away from where it was and from where it was told to go, however short a time ago', () => {
  const told = { atMs: NOON - 2_000, fromLowKw: 6, fromHighKw: 6, ranLowKw: 6, ranHighKw: 6 };
  const noteAt = (powerKw: number) => {
    const device = anEv({
      acknowledged: aCommand(4, 58),
      lastMove: told,
      reading: aReading({ powerKw, ageSeconds: 1 }),
    });
    return planTree(aSnapshot({ devices: [device] })).devices[0]?.explanation.note;
  };
  expect([noteAt(11), noteAt(6)]).toEqual(['off-setpoint', 'free']);
});

it('does not take for less load what a device off its setpoint drew after the meter was read', () => {
  const meter = aMeter(30 + 5, { ageSeconds: 4, lastUncontrolledKw: { lowKw: 30, highKw: 30 } });
  const stubborn = anEv({ acknowledged: aCommand(5), reading: aReading({ powerKw: 16, ageSeconds: 1 }) });
  const plan = planTree(aSnapshot({ feeders: [aFeeder({ meter })], devices: [stubborn] }));
  expect(nodeOf(plan)).toMatchObject({ uncontrolledHighKw: 30, plannedHighKw: 46 });
});
