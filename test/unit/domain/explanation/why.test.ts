import { explainDevice } from '../../../../domain/explanation/device-why';
import { explainNodes } from '../../../../domain/explanation/node-why';
import { planTree } from '../../../../domain/plan-tree';
import type { TreeSnapshot } from '../../../../domain/fleet';
import { aBattery, aCommand, aDispatch, aFeeder, aMeter, anEv, aPv, aReading, aSnapshot, NOON } from '../builders';

const wordsOf = (snapshot: TreeSnapshot, deviceId: string) =>
  explainDevice(snapshot, planTree(snapshot), deviceId)?.words.slice(0, 2);
const under = (importLimitKw: number, devices: TreeSnapshot['devices']) =>
  aSnapshot({ feeders: [aFeeder({ importLimitKw, exportLimitKw: 50 })], devices });
const charger = (deviceId: string, device: Parameters<typeof anEv>[0] = {}) =>
  anEv({ deviceId, maxImportKw: 16, minImportKw: 6, ...device });

describe('why a device is asked what it is asked', () => {
  it.each`
    what                             | snapshot                                                                                                           | deviceId     | words
    ${'nothing holds it'}            | ${under(100, [anEv()])}                                                                                            | ${'ev'}      | ${['ev may draw 22 kW.', 'Nothing holds it back: that is what it wants.']}
    ${'a static limit holds it'}     | ${under(10, [anEv()])}                                                                                             | ${'ev'}      | ${['ev may draw 10 kW.', 'It is held by feeder, which may import up to 10 kW (static limit); what it gets is its share by weight (1, times its urgency).']}
    ${'a dispatch holds it'}         | ${{ ...under(100, [anEv()]), dispatches: [aDispatch({ importLimitKw: 10 })] }}                                     | ${'ev'}      | ${['ev may draw 10 kW.', 'It is held by feeder, which may import up to 10 kW (dispatch dispatch); what it gets is its share by weight (1, times its urgency).']}
    ${'an export limit holds it'}    | ${under(100, [aPv({ givesKw: 80 })])}                                                                              | ${'pv'}      | ${['pv may give 50 kW.', 'It is held by feeder, which may export up to 50 kW (static limit); what it gets is its share by weight (1, times its urgency).']}
    ${'it waits for its turn'}       | ${under(6, [charger('a', { waitsSinceMs: NOON - 120_000 }), charger('b')])}                                        | ${'a'}       | ${['a may not draw anything.', 'It waits for its turn, for 120 s now: not all minimums fit under feeder, which may import up to 6 kW (static limit). Turns change after 900 s.']}
    ${'it helps with all it has'}    | ${aSnapshot({ feeders: [aFeeder({ importLimitKw: 5, baseLoadKw: 40 })], devices: [aBattery()] })}                  | ${'battery'} | ${['battery discharges with 10 kW.', 'It gives all the help it can, for feeder, which may import up to 5 kW (static limit).']}
    ${'its state of charge says so'} | ${under(100, [aBattery({ scheduledPowerKw: -5, reserveSoc: 0.6 })])}                                               | ${'battery'} | ${['battery idles.', 'Its state of charge says so: it has 50 %, with a target of 100 % and a reserve of 60 %.']}
    ${'it is restored step by step'} | ${under(100, [anEv({ rampKwPerS: 0.2, acknowledged: aCommand(5), reading: aReading({ powerKw: 5, soc: 0.5 }) })])} | ${'ev'}      | ${['ev may draw 7 kW.', 'It is restored step by step, at most 0.2 kW/s.']}
    ${'it is silent'}                | ${under(100, [anEv({ acknowledged: aCommand(5), reading: aReading({ powerKw: 5, ageSeconds: 99 }) })])}            | ${'ev'}      | ${['ev counts at 5 kW.', 'It is silent: it counts at the worst of its last command and its default, and is sent nothing new.']}
    ${'it does not follow'}          | ${under(100, [anEv({ notFollowingUntilMs: NOON + 60_000, reading: aReading({ powerKw: 9 }) })])}                   | ${'ev'}      | ${['ev counts at 9 kW.', 'It does not follow: it was off its setpoint in 3 cycles in a row, counts at what it measures and is tried again in 60 s.']}
    ${'nobody knows what it can do'} | ${under(100, [anEv({ maxImportKw: null, reading: aReading({ powerKw: 3 }) })])}                                    | ${'ev'}      | ${['ev counts at 3 kW.', 'Nobody has said what it can do: it counts at what it measures, as part of what nobody controls.']}
  `('$what', ({ snapshot, deviceId, words }) => {
    expect(wordsOf(snapshot as TreeSnapshot, deviceId as string)).toEqual(words);
  });

  it('comes with the way from its feeder to the root and the slack of each limit', () => {
    const feeders = [
      aFeeder({ feederId: 'root', importLimitKw: 100 }),
      aFeeder({ parentId: 'root', importLimitKw: 10 }),
    ];
    const snapshot = aSnapshot({ feeders, devices: [anEv()] });
    expect(explainDevice(snapshot, planTree(snapshot), 'ev')?.path).toMatchObject([
      { feederId: 'feeder', importSlackKw: 0 },
      { feederId: 'root', importSlackKw: 90 },
    ]);
  });

  it('is not known for a device that is not in the plan', () => {
    const snapshot = aSnapshot();
    expect(explainDevice(snapshot, planTree(snapshot), 'x')).toBeNull();
  });
});

it('says of a node that stays over its limit what nobody can move there', () => {
  const silent = anEv({
    deviceId: 'silent',
    maxImportKw: 8,
    acknowledged: aCommand(8),
    reading: aReading({ powerKw: 8, ageSeconds: 60 }),
  });
  const stubborn = anEv({
    deviceId: 'stubborn',
    notFollowingUntilMs: NOON + 60_000,
    reading: aReading({ powerKw: 9 }),
  });
  const feeders = [aFeeder({ importLimitKw: 20, meter: aMeter(32) })];
  const snapshot = aSnapshot({ feeders, devices: [silent, stubborn, anEv({ reading: aReading({ powerKw: 5 }) })] });
  expect(explainNodes(snapshot, planTree(snapshot))[0]?.words).toEqual([
    'feeder may import up to 20 kW (static limit) and export up to 1000 kW (static limit).',
    'Planned: 19 kW to 27 kW, of which nobody controls 10 kW.',
    'Its import limit holds devices back.',
    'Its meter shows 32 kW, 12 kW over.',
    'INFEASIBLE: it stays 7 kW off its import limit with all the help there is below it; 10 kW flow through what nobody controls, 8 kW through 1 device silent or faulty, 9 kW through 1 device not following.',
  ]);
});
