import { planTree } from '../../../../domain/plan-tree';
import { aBattery, aCommand, aFeeder, aMeter, anEv, aPv, aReading, aSnapshot, nodeOf, NOON } from '../builders';

/** A move `secondsAgo`, from a setpoint that the device was at. */
const moved = (secondsAgo: number, fromKw: number) => ({
  atMs: NOON - secondsAgo * 1000,
  fromLowKw: fromKw,
  fromHighKw: fromKw,
  ranLowKw: fromKw,
  ranHighKw: fromKw,
});
const believed = (kw: number) => ({ lastUncontrolledKw: { highKw: kw, lowKw: kw } });

/** 30 kW that nobody controls flow all the time; the device is told to go from one power to another 8 s before the plan. */
const told = (device: ReturnType<typeof anEv>, from: number, to: number, readAge: number, readKw: number) => ({
  ...device,
  lastMove: moved(8, from),
  acknowledged: aCommand(to),
  reading: aReading({ powerKw: readKw, ageSeconds: readAge, soc: 0.5 }),
});

describe('a device under way does not look like load that nobody controls', () => {
  it.each`
    what                                                          | device                               | meterKw    | meterAge
    ${'a cut: meter read before it, EV after it'}                 | ${told(anEv(), 22, 10, 1, 10)}       | ${30 + 22} | ${9}
    ${'a raise: meter read before it, EV after it'}               | ${told(anEv(), 10, 22, 1, 22)}       | ${30 + 10} | ${9}
    ${'a cut: EV read before it, meter after it'}                 | ${told(anEv(), 22, 10, 9, 22)}       | ${30 + 10} | ${1}
    ${'a raise: EV read before it, meter after it'}               | ${told(anEv(), 10, 22, 9, 10)}       | ${30 + 22} | ${1}
    ${'a battery turned round: meter read before it'}             | ${told(aBattery(), -10, 10, 1, 10)}  | ${30 - 10} | ${9}
    ${'a battery turned round, read on its way, meter before it'} | ${told(aBattery(), -10, 10, 6, 1)}   | ${30 - 10} | ${9}
    ${'a battery turned round, meter read on its way'}            | ${told(aBattery(), -10, 10, 9, -10)} | ${30 + 4}  | ${6}
    ${'a curtailed PV: meter read before it'}                     | ${told(aPv(), -60, -40, 1, -40)}     | ${30 - 60} | ${9}
    ${'an EV that draws less than either allowance stands still'} | ${told(anEv(), 22, 10, 1, 4)}        | ${30 + 4}  | ${9}
  `('$what', ({ device, meterKw, meterAge }) => {
    const meter = aMeter(meterKw as number, { ageSeconds: meterAge as number, ...believed(30) });
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ meter })], devices: [device] }));
    expect(nodeOf(plan).uncontrolledHighKw).toBeCloseTo(30, 6);
    expect(nodeOf(plan).uncontrolledLowKw).toBeCloseTo(30, 6);
  });

  it('and is taken at its readings once it has settled', () => {
    const settled = { ...told(anEv(), 22, 10, 1, 10), lastMove: moved(30, 22) };
    const meter = aMeter(55, { ageSeconds: 9, ...believed(30) });
    expect(nodeOf(planTree(aSnapshot({ feeders: [aFeeder({ meter })], devices: [settled] }))).uncontrolledHighKw).toBe(
      45,
    );
  });

  it('load that changes by more than devices can have moved is seen at once', () => {
    const meter = aMeter(30 + 22 + 40, { ageSeconds: 9, ...believed(30) });
    const plan = planTree(aSnapshot({ feeders: [aFeeder({ meter })], devices: [told(anEv(), 22, 10, 1, 10)] }));
    expect(nodeOf(plan).uncontrolledHighKw).toBeCloseTo(70, 6);
  });
});
