import type { Device } from '../../../../domain/fleet';
import { planTree } from '../../../../domain/plan-tree';
import { validUntilMs } from '../../../../domain/setpoint-end';
import {
  aCommand,
  aFeeder,
  aMeter,
  anEv,
  aPv,
  aReading,
  aSnapshot,
  nodeOf,
  NOON,
  planOf,
  several,
  targetsOf,
} from '../builders';

const drawing = (powerKw: number) => ({ reading: aReading({ powerKw, soc: 0.5 }) });

describe('a setpoint is sent', () => {
  it.each`
    when                                               | device                                                                                       | publish
    ${'never acknowledged'}                            | ${anEv()}                                                                                    | ${'change'}
    ${'acknowledged, with most of its life left'}      | ${anEv({ acknowledged: aCommand(22, 50) })}                                                  | ${'none'}
    ${'two thirds of its life gone by the next cycle'} | ${anEv({ acknowledged: aCommand(22, 30) })}                                                  | ${'renewal'}
    ${'not quite'}                                     | ${anEv({ acknowledged: aCommand(22, 30.1) })}                                                | ${'none'}
    ${'expired'}                                       | ${anEv({ acknowledged: aCommand(22, 0) })}                                                   | ${'change'}
    ${'another target'}                                | ${anEv({ acknowledged: aCommand(16), ...drawing(16) })}                                      | ${'change'}
    ${'one was sent since and not acknowledged'}       | ${anEv({ acknowledged: aCommand(22), pending: { ...aCommand(22), lowKw: 22, highKw: 22 } })} | ${'change'}
  `('$publish: $when', ({ device, publish }) => {
    const plan = planTree(aSnapshot({ devices: [device] }));
    expect(planOf(plan, 'ev')).toMatchObject({ targetKw: 22, publish: publish as string });
  });
});

describe('all that a tree is told', () => {
  const told = (deviceId: string, leftSeconds: number) => anEv({ deviceId, acknowledged: aCommand(22, leftSeconds) });
  const kinds = (...devices: Device[]) =>
    Object.fromEntries(planTree(aSnapshot({ devices })).devices.map(({ deviceId, publish }) => [deviceId, publish]));
  const leftSeconds = (sent: readonly ('change' | 'renewal')[], ...devices: Device[]) =>
    (validUntilMs(
      sent.map((publish) => ({ publish })),
      aSnapshot({ devices }),
    ) -
      NOON) /
    1000;

  it('is renewed with the first that is due', () => {
    expect(kinds(told('a', 30), told('b', 50))).toEqual({ a: 'renewal', b: 'renewal' });
    expect(kinds(told('a', 31), told('b', 50))).toEqual({ a: 'none', b: 'none' });
  });

  it('is not renewed because of one that is left to end', () => {
    const silent = anEv({ deviceId: 'a', acknowledged: aCommand(22, 25), reading: null });
    expect(kinds(silent, told('b', 50))).toEqual({ a: 'none', b: 'none' });
  });

  it('is renewed because of one that goes by a command that is over', () => {
    const stubborn = anEv({
      ...{ deviceId: 'a', honoursExpiry: false, acknowledged: aCommand(6, -30) },
      reading: aReading({ powerKw: 20, soc: 0.5 }),
    });
    expect(kinds(stubborn)['a']).not.toBe('none');
    expect(kinds(stubborn, told('b', 50))['b']).toBe('renewal');
  });

  it('ends when what it holds already does', () => {
    expect(leftSeconds(['change'], told('a', 50), told('b', 40))).toBe(50);
    expect(leftSeconds(['change'], told('a', 30))).toBe(60);
    expect(leftSeconds(['change'], anEv())).toBe(60);
    expect(leftSeconds(['change', 'renewal'], told('a', 50))).toBe(60);
    expect(leftSeconds(['change'], told('a', 400))).toBe(60); // its interval was longer
  });
});

describe('the deadband', () => {
  const evs = (count: number, oldKw: number) =>
    several(count, anEv({ acknowledged: aCommand(oldKw), ...drawing(oldKw) }));
  const plan = (importLimitKw: number, oldKw: number) =>
    planTree(aSnapshot({ feeders: [aFeeder({ importLimitKw })], devices: evs(2, oldKw) }));

  it('keeps the old setpoint when there is a little more room', () => {
    expect(plan(20.1, 10).devices).toMatchObject([
      { targetKw: 10, publish: 'none', explanation: { note: 'deadband' } },
      { targetKw: 10, publish: 'none' },
    ]);
  });

  it('does not keep it when a limit above would be broken by as little as that', () => {
    expect(targetsOf(plan(19.9, 10))).toEqual({ 'ev-1': 9.95, 'ev-2': 9.95 });
  });

  it('keeps one where another made the room for it', () => {
    const devices = [
      anEv({ deviceId: 'a', acknowledged: aCommand(9.95), ...drawing(9.95) }),
      anEv({ deviceId: 'b', acknowledged: aCommand(10.05), ...drawing(10.05) }),
    ];
    const both = planTree(aSnapshot({ feeders: [aFeeder({ importLimitKw: 20 })], devices }));
    expect(targetsOf(both)).toEqual({ a: 9.95, b: 10.05 });
  });

  it('lets changes of its size and more through', () => {
    expect(targetsOf(plan(20.22, 10))).toEqual({ 'ev-1': 10.11, 'ev-2': 10.11 });
  });

  it('does not hold a device outside its bounds', () => {
    const full = anEv({ acknowledged: aCommand(0.05), reading: aReading({ soc: 1 }) });
    expect(targetsOf(planTree(aSnapshot({ devices: [full] })))).toEqual({ ev: 0 });
  });

  it('takes what rounding leaves for no change', () => {
    const before = plan(20, 0);
    const devices = evs(2, 10).map((ev, index) => ({
      ...ev,
      acknowledged: aCommand((before.devices[index]?.targetKw ?? 0) + 1e-12),
    }));
    const after = planTree(
      aSnapshot({ settings: { deadbandKw: 0 }, feeders: [aFeeder({ importLimitKw: 20 })], devices }),
    );
    expect(after.devices).toMatchObject([{ publish: 'none' }, { publish: 'none' }]);
  });
});

describe('caps and allowances', () => {
  it('stand wide open, and still, while the sun and the load move and no limit is near', () => {
    const at = (givesKw: number, loadKw: number) =>
      planTree(
        aSnapshot({
          feeders: [aFeeder({ meter: aMeter(loadKw + 5 - givesKw) })],
          devices: [
            aPv({ givesKw, acknowledged: aCommand(-100) }),
            anEv({ acknowledged: aCommand(22), ...drawing(5) }),
          ],
        }),
      );
    for (const plan of [at(10, 40), at(60, 10), at(95, 200)]) {
      expect(plan.devices.map(({ targetKw, publish }) => [targetKw, publish])).toEqual([
        [22, 'none'],
        [-100, 'none'],
      ]);
    }
  });

  it('close in on what is used as room gets short, before anything is curtailed', () => {
    const devices = [aPv({ deviceId: 'a', givesKw: 30 }), aPv({ deviceId: 'b', givesKw: 20 })];
    const at = (exportLimitKw: number) =>
      targetsOf(planTree(aSnapshot({ feeders: [aFeeder({ exportLimitKw })], devices })));
    expect(at(200)).toEqual({ a: -100, b: -100 });
    expect(at(135)).toEqual({ a: -70, b: -65 });
    expect(at(70)).toEqual({ a: -40, b: -30 });
    expect(at(50)).toEqual({ a: -25, b: -25 });
  });

  it('say which limit holds them', () => {
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ exportLimitKw: 70 })], devices: [aPv({ givesKw: 40 })] }));
    expect(planOf(plan, 'pv')).toMatchObject({
      targetKw: -70,
      explanation: { level: 0, tier: 0, boundBy: 'feeder', note: 'bound-by-node' },
    });
    expect(nodeOf(plan).plannedLowKw).toBeCloseTo(-70, 6);
  });
});
