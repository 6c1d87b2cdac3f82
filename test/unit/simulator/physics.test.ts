import { householdKw, householdShare } from '../../../simulator/physics/household';
import { between, gaussian, randomStream, wander } from '../../../simulator/physics/random';
import { ramped } from '../../../simulator/physics/ramp';
import { mostChargeKw, socAfter, storagePowerKw, type Storage } from '../../../simulator/physics/storage';
import { clearSky, throughClouds } from '../../../simulator/physics/sun';
import { firstVisit, nextVisit } from '../../../simulator/physics/vehicle';

const HOUR = 3_600;
const BATTERY: Storage = { capacityKwh: 10, maxChargeKw: 5, maxDischargeKw: 5, minChargeKw: 0, efficiency: 0.9 };
const CAR: Storage = { ...BATTERY, capacityKwh: 60, maxChargeKw: 11, maxDischargeKw: 0, minChargeKw: 1.4 };

describe('the sun', () => {
  it.each`
    clock                   | seconds        | share
    ${'05:59'}              | ${5.98 * HOUR} | ${0}
    ${'08:00'}              | ${8 * HOUR}    | ${0.435}
    ${'12:00'}              | ${12 * HOUR}   | ${1}
    ${'16:00'}              | ${16 * HOUR}   | ${0.435}
    ${'18:00'}              | ${18 * HOUR}   | ${0}
    ${'12:00, a day later'} | ${36 * HOUR}   | ${1}
  `('at $clock gives $share of the rating', ({ seconds, share }: Record<string, number>) => {
    expect(clearSky(seconds ?? NaN)).toBeCloseTo(share ?? NaN, 3);
  });

  it.each`
    cloudiness | weather | left
    ${0}       | ${3}    | ${1}
    ${0.3}     | ${0}    | ${0.85}
    ${1}       | ${1}    | ${0.2}
    ${1}       | ${-5}   | ${1}
  `('keeps $left of it under clouds of $cloudiness in weather $weather', (given: Record<string, number>) => {
    expect(throughClouds(given['weather'] ?? NaN, given['cloudiness'] ?? NaN)).toBeCloseTo(given['left'] ?? NaN, 9);
  });
});

describe('a battery', () => {
  it.each`
    what                                               | storage    | soc     | wantedKw | hours    | powerKw
    ${'does as asked'}                                 | ${BATTERY} | ${0.5}  | ${3}     | ${0.001} | ${3}
    ${'gives as asked'}                                | ${BATTERY} | ${0.5}  | ${-3}    | ${0.001} | ${-3}
    ${'never draws over its rating'}                   | ${BATTERY} | ${0.5}  | ${9}     | ${0.001} | ${5}
    ${'never gives over its rating'}                   | ${BATTERY} | ${0.5}  | ${-9}    | ${0.001} | ${-5}
    ${'tapers when nearly full'}                       | ${BATTERY} | ${0.95} | ${5}     | ${0.001} | ${2.5}
    ${'gives all it can when full'}                    | ${BATTERY} | ${1}    | ${-5}    | ${0.001} | ${-5}
    ${'draws nothing when full'}                       | ${BATTERY} | ${1}    | ${5}     | ${0.001} | ${0}
    ${'gives nothing when empty'}                      | ${BATTERY} | ${0}    | ${-5}    | ${0.001} | ${-0}
    ${'gives no more than is left'}                    | ${BATTERY} | ${0.1}  | ${-5}    | ${1}     | ${-0.9}
    ${'draws no more than fits'}                       | ${BATTERY} | ${0.9}  | ${5}     | ${1}     | ${1 / 0.9}
    ${'of a car never feeds back'}                     | ${CAR}     | ${0.5}  | ${-5}    | ${0.001} | ${-0}
    ${'of a car rests below 6 A'}                      | ${CAR}     | ${0.5}  | ${1.3}   | ${0.001} | ${0}
    ${'of a car begins at 6 A'}                        | ${CAR}     | ${0.5}  | ${1.4}   | ${0.001} | ${1.4}
    ${'of a car stops when the taper falls under 6 A'} | ${CAR}     | ${0.99} | ${11}    | ${0.001} | ${0}
    ${'stands still without time'}                     | ${BATTERY} | ${0}    | ${-5}    | ${0}     | ${-0}
  `('$what: asked for $wantedKw kW at soc $soc it does $powerKw kW', (given: Record<string, unknown>) => {
    const { storage, soc, wantedKw, hours, powerKw } = given as {
      storage: Storage;
      soc: number;
      wantedKw: number;
      hours: number;
      powerKw: number;
    };
    expect(storagePowerKw(storage, soc, wantedKw, hours)).toBeCloseTo(powerKw, 9);
  });

  it('stores what arrives in its cells and loses what they lose', () => {
    expect(socAfter(BATTERY, 0.5, 4, 0.5)).toBeCloseTo(0.68, 9); // 4 kW × 0.5 h × 0.9 of 10 kWh
    expect(socAfter(BATTERY, 0.5, -4.5, 0.5)).toBeCloseTo(0.25, 9); // 4.5 kW × 0.5 h ÷ 0.9 of 10 kWh
  });

  it('gives back 81 % of what it drew, over a whole cycle', () => {
    const charged = socAfter(BATTERY, 0.2, 5, 1);
    const drawnKwh = 5;
    const gaveKwh = (charged - 0.2) * 10 * 0.9;
    expect(gaveKwh / drawnKwh).toBeCloseTo(0.81, 9);
  });

  it('counts as full once its charger would go below 2 % of its rating', () => {
    expect(mostChargeKw(BATTERY, 0.997)).toBeCloseTo(0.15, 9);
    expect(mostChargeKw(BATTERY, 0.999)).toBe(0);
  });

  it('never leaves 0..1, whatever it is asked and however long the step', () => {
    const random = randomStream(7, 'battery');
    let soc = 0.5;
    for (let step = 0; step < 10_000; step += 1) {
      const hours = between(random, [0, 2]);
      const powerKw = storagePowerKw(BATTERY, soc, between(random, [-20, 20]), hours);
      const after = soc + ((powerKw > 0 ? powerKw * 0.9 : powerKw / 0.9) * hours) / 10;
      expect(after).toBeGreaterThan(-1e-9);
      expect(after).toBeLessThan(1 + 1e-9);
      soc = socAfter(BATTERY, soc, powerKw, hours);
    }
  });
});

describe('a ramp', () => {
  it.each`
    fromKw | toKw  | kwPerS | seconds | nowKw
    ${0}   | ${10} | ${2}   | ${1}    | ${2}
    ${9}   | ${10} | ${2}   | ${1}    | ${10}
    ${5}   | ${-5} | ${4}   | ${0.5}  | ${3}
    ${5}   | ${5}  | ${4}   | ${1}    | ${5}
  `('of $kwPerS kW/s from $fromKw towards $toKw is at $nowKw kW after $seconds s', (given: Record<string, number>) => {
    const { fromKw = NaN, toKw = NaN, kwPerS = NaN, seconds = NaN, nowKw } = given;
    expect(ramped(fromKw, toKw, kwPerS, seconds)).toBe(nowKw);
  });
});

describe('the homes on a feeder', () => {
  it('draw least at night and most in the evening', () => {
    const shares = [3, 7.5, 13, 19].map((hour) => Number(householdShare(hour * HOUR).toFixed(2)));
    expect(shares).toEqual([0, 0.65, 0.3, 1]);
  });

  it('draw between base and peak, give or take what they change their mind about', () => {
    expect(householdKw({ baseKw: 10, peakKw: 30 }, 19 * HOUR, 0)).toBeCloseTo(30, 1);
    expect(householdKw({ baseKw: 10, peakKw: 30 }, 3 * HOUR, 1)).toBeCloseTo(10.8, 1);
    expect(householdKw({ baseKw: 10, peakKw: 10 }, 19 * HOUR, 1)).toBe(10);
  });
});

describe('cars at a charger', () => {
  const visits = { stayHours: [4, 8], awayHours: [1, 2], arrivalSoc: [0.2, 0.4] } as const;
  const random = randomStream(3, 'cars');

  it('are all there at the start, and leave at different times within their stay', () => {
    const first = firstVisit(visits, random);
    expect(first.pluggedIn).toBe(true);
    expect(first.secondsLeft).toBeLessThan(8 * HOUR);
  });

  it('leave an empty place, which has no state of charge', () => {
    const empty = nextVisit(visits, { pluggedIn: true, secondsLeft: 0 }, random);
    expect(empty).toMatchObject({ pluggedIn: false, soc: null });
    expect(empty.secondsLeft / HOUR).toBeGreaterThanOrEqual(1);
    expect(empty.secondsLeft / HOUR).toBeLessThan(2);
  });

  it('come with a battery that wants charging', () => {
    const next = nextVisit(visits, { pluggedIn: false, secondsLeft: 0 }, random);
    expect(next.pluggedIn).toBe(true);
    expect(next.soc).toBeGreaterThanOrEqual(0.2);
    expect(next.soc).toBeLessThan(0.4);
  });
});

describe('chance', () => {
  it('is the same for the same seed and name', () => {
    const draw = (seed: number, name: string): number[] => {
      const random = randomStream(seed, name);
      return [random(), random(), random()].map((value) => Number(value.toFixed(6)));
    };
    expect(draw(1, 'sky')).toEqual(draw(1, 'sky'));
    expect(draw(1, 'sky')).not.toEqual(draw(2, 'sky'));
    expect(draw(1, 'sky')).not.toEqual(draw(1, 'sea'));
  });

  it('is even, and its bells are standard', () => {
    const random = randomStream(1, 'many');
    const flat = Array.from({ length: 20_000 }, random);
    const bell = Array.from({ length: 20_000 }, () => gaussian(random));
    expect(mean(flat)).toBeCloseTo(0.5, 1);
    expect(Math.min(...flat)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...flat)).toBeLessThan(1);
    expect(Math.abs(mean(bell))).toBeLessThan(0.03);
    expect(mean(bell.map((value) => value * value))).toBeCloseTo(1, 1);
  });

  it('wanders as far in long steps as in short ones, and not at all in no time', () => {
    const random = randomStream(1, 'weather');
    const far = (seconds: number): number => {
      let value = 0;
      const squares = Array.from({ length: 20_000 }, () => (value = wander(value, seconds, 900, random)) ** 2);
      return mean(squares);
    };
    expect(far(900)).toBeCloseTo(1, 0);
    expect(far(3_600)).toBeCloseTo(1, 0);
    expect(wander(0.7, 0, 900, random)).toBe(0.7);
  });
});

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
