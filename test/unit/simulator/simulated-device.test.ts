import type { ReceivedSetpoint } from '../../../contracts/setpoint';
import { WELL_BEHAVED, type Behaviour } from '../../../simulator/behaviour';
import { randomStream } from '../../../simulator/physics/random';
import { SimulatedDevice, type DeviceTraits } from '../../../simulator/simulated-device';

const NOW = 1_800_000_000_000;
const CAR = { capacityKwh: 60, maxChargeKw: 11, maxDischargeKw: 0, minChargeKw: 1.4, efficiency: 0.95 };
const BATTERY = { capacityKwh: 10, maxChargeKw: 5, maxDischargeKw: 5, minChargeKw: 0, efficiency: 0.95 };

describe('a device with a setpoint', () => {
  it('goes to it by its ramp', () => {
    const ev = aDevice({ deviceType: 'ev', rampKwPerS: 2 });
    ev.hear(aSetpoint({ targetPowerKw: 8 }), NOW, 0);

    expect(powersOf(ev, 4)).toEqual([3.4, 5.4, 7.4, 8]); // a charger begins at its 1.4 kW
  });

  it('takes the slower of its own ramp and the one it is told', () => {
    const battery = aDevice({ deviceType: 'battery', rampKwPerS: 5 });
    battery.hear(aSetpoint({ targetPowerKw: -4, rampKwPerS: 1 }), NOW, 0);

    expect(powersOf(battery, 5)).toEqual([-1, -2, -3, -4, -4]);
  });

  it('falls to its default when it expires, on the monotonic clock', () => {
    const battery = aDevice({ deviceType: 'battery', defaultPowerKw: 1 });
    battery.hear(aSetpoint({ targetPowerKw: 4, validUntilMs: NOW + 60_000 }), NOW, 5_000);

    expect(powerAt(battery, 64_999)).toBe(4);
    expect(powerAt(battery, 65_000)).toBe(1);
    expect(battery.setpoint).toBeNull();
  });

  it('goes on for ever when it does not honour expiry', () => {
    const battery = aDevice({ deviceType: 'battery' }, { honoursExpiry: false });
    battery.hear(aSetpoint({ targetPowerKw: 4, validUntilMs: NOW + 60_000 }), NOW, 0);

    expect(powerAt(battery, 3_600_000)).toBe(4);
  });

  it.each`
    what                                     | later                                                          | verdict       | powerKw
    ${'that is newer'}                       | ${{ messageId: 'b', timestampMs: NOW + 1 }}                    | ${'taken'}    | ${2}
    ${'of the same moment, another message'} | ${{ messageId: 'b', timestampMs: NOW }}                        | ${'taken'}    | ${2}
    ${'that it has had'}                     | ${{ messageId: 'a', timestampMs: NOW + 1 }}                    | ${'repeated'} | ${4}
    ${'that is older than the last'}         | ${{ messageId: 'b', timestampMs: NOW - 1 }}                    | ${'older'}    | ${4}
    ${'that is over'}                        | ${{ messageId: 'b', timestampMs: NOW + 1, validUntilMs: NOW }} | ${'expired'}  | ${4}
  `('hears another one $what: $verdict', ({ later, verdict, powerKw }: Record<string, unknown>) => {
    const battery = aDevice({ deviceType: 'battery' });
    battery.hear(aSetpoint({ messageId: 'a', timestampMs: NOW, targetPowerKw: 4 }), NOW, 0);

    expect(battery.hear(aSetpoint({ targetPowerKw: 2, ...(later as Partial<ReceivedSetpoint>) }), NOW, 0)).toBe(
      verdict,
    );
    expect(powerAt(battery, 1_000)).toBe(powerKw);
  });

  it('does not take up again an older one after its setpoint has expired', () => {
    const battery = aDevice({ deviceType: 'battery' });
    battery.hear(aSetpoint({ messageId: 'a', timestampMs: NOW, validUntilMs: NOW + 1_000 }), NOW, 0);
    powerAt(battery, 2_000);

    expect(battery.hear(aSetpoint({ messageId: 'b', timestampMs: NOW - 1 }), NOW + 2_000, 2_000)).toBe('older');
  });

  it.each`
    clock           | clockOffsetSeconds | verdict
    ${'right'}      | ${0}               | ${'taken'}
    ${'30 s ahead'} | ${30}              | ${'taken'}
    ${'90 s ahead'} | ${90}              | ${'expired'}
  `(
    'of 60 s finds it $verdict when its clock is $clock',
    ({ clockOffsetSeconds, verdict }: Record<string, unknown>) => {
      const ev = aDevice({ deviceType: 'ev' }, { clockOffsetSeconds: clockOffsetSeconds as number });
      expect(ev.hear(aSetpoint({ validUntilMs: NOW + 60_000 }), NOW, 0)).toBe(verdict);
    },
  );
});

describe('the sign of a setpoint', () => {
  it.each`
    deviceType   | sign           | targetPowerKw | powerKw
    ${'battery'} | ${null}        | ${3}          | ${3}
    ${'battery'} | ${null}        | ${-3}         | ${-3}
    ${'battery'} | ${'generator'} | ${-3}         | ${3}
    ${'ev'}      | ${null}        | ${6}          | ${6}
    ${'pv'}      | ${null}        | ${4}          | ${-4}
    ${'pv'}      | ${'load'}      | ${4}          | ${-4}
    ${'pv'}      | ${null}        | ${99}         | ${-10}
    ${'pv'}      | ${null}        | ${-1}         | ${0}
  `('is that of the wire: $deviceType (counting as $sign) told $targetPowerKw does $powerKw inside', (given) => {
    const { deviceType, sign, targetPowerKw, powerKw } = given as Pick<DeviceTraits, 'deviceType' | 'sign'> & {
      targetPowerKw: number;
      powerKw: number;
    };
    const device = aDevice({ deviceType, sign });
    device.hear(aSetpoint({ targetPowerKw }), NOW, 0);

    expect(powerAt(device, 1_000)).toBe(powerKw);
  });
});

describe('a PV', () => {
  it('gives what the sky grants it when nobody says anything', () => {
    const pv = aDevice({ deviceType: 'pv' });
    expect(powerAt(pv, 1_000, { sunshine: 0.6 })).toBe(-6);
  });

  it('never gives more than that, whatever its cap', () => {
    const pv = aDevice({ deviceType: 'pv' });
    pv.hear(aSetpoint({ targetPowerKw: 8 }), NOW, 0);

    expect(powerAt(pv, 1_000, { sunshine: 0.5 })).toBe(-5);
    expect(powerAt(pv, 2_000, { sunshine: 1 })).toBe(-8);
  });

  it('loses the sun at once, ramp or no ramp', () => {
    const pv = aDevice({ deviceType: 'pv', rampKwPerS: 10 });
    powerAt(pv, 1_000);
    pv.hear(aSetpoint({ targetPowerKw: 10, rampKwPerS: 0.1 }), NOW, 0);

    expect(powerAt(pv, 2_000, { sunshine: 0.2 })).toBe(-2);
  });

  it('counts what it generates', () => {
    const pv = aDevice({ deviceType: 'pv' });
    powerAt(pv, 1_000, { simulatedHours: 0.5 });

    expect(pv.energyKwh).toBe(5);
  });
});

describe('a charger', () => {
  it('wants all its car can take and does nothing unasked', () => {
    const ev = aDevice({ deviceType: 'ev' });
    expect(powerAt(ev, 1_000)).toBe(0);
    expect(ev.wantKw).toBe(11);
  });

  it('rests when it is offered less than 6 A', () => {
    const ev = aDevice({ deviceType: 'ev' });
    ev.hear(aSetpoint({ targetPowerKw: 1.2 }), NOW, 0);

    expect(powerAt(ev, 1_000)).toBe(0);
  });

  it('fills its car: soc moves with energy, in the time that the simulation has', () => {
    const ev = aDevice({ deviceType: 'ev' });
    ev.hear(aSetpoint({ targetPowerKw: 10 }), NOW, 0);
    powerAt(ev, 1_000, { simulatedHours: 1 });

    expect(ev.soc).toBeCloseTo(0.5 + (10 * 0.95) / 60, 9);
    expect(ev.energyKwh).toBe(10);
  });

  it('without a car draws nothing and has no state of charge', () => {
    const visits = { stayHours: [1, 1], awayHours: [1, 1], arrivalSoc: [0.2, 0.2] } as const;
    const ev = aDevice({ deviceType: 'ev', visits });
    ev.hear(aSetpoint({ targetPowerKw: 10 }), NOW, 0);

    expect(powerAt(ev, 1_000, { simulatedHours: 1 })).toBe(0);
    expect(ev.soc).toBeNull();
    expect(powerAt(ev, 2_000, { simulatedHours: 1 })).toBe(10);
    expect(ev.soc).toBeGreaterThan(0.2);
  });
});

describe('a device that misbehaves', () => {
  it.each`
    how                     | behaviour                | deviceType | powerKw
    ${'disobedient, an EV'} | ${{ disobedient: true }} | ${'ev'}    | ${11}
    ${'disobedient, a PV'}  | ${{ disobedient: true }} | ${'pv'}    | ${-10}
    ${'offline'}            | ${{ offline: true }}     | ${'ev'}    | ${0}
    ${'faulty'}             | ${{ faultCode: 'E-1' }}  | ${'pv'}    | ${0}
  `('($how) does $powerKw kW when told 3', ({ behaviour, deviceType, powerKw }: Record<string, unknown>) => {
    const device = aDevice({ deviceType: deviceType as DeviceTraits['deviceType'] }, behaviour as Partial<Behaviour>);
    device.hear(aSetpoint({ targetPowerKw: 3 }), NOW, 0);

    expect(powerAt(device, 1_000)).toBe(powerKw);
  });
});

function aDevice(traits: Partial<DeviceTraits> & Pick<DeviceTraits, 'deviceType'>, behaviour: Partial<Behaviour> = {}) {
  const { deviceType } = traits;
  const ratings = { ev: [11, 0], battery: [5, 5], pv: [0, 10] } as const;
  const [maxImportKw, maxExportKw] = ratings[deviceType];
  return new SimulatedDevice(
    {
      deviceId: 'd',
      feederId: 'f',
      sign: null,
      maxImportKw,
      maxExportKw,
      defaultPowerKw: deviceType === 'pv' ? -10 : 0,
      rampKwPerS: 100,
      performance: 1,
      storage: { ev: CAR, battery: BATTERY, pv: null }[deviceType],
      visits: null,
      ...traits,
    },
    { ...WELL_BEHAVED, ...behaviour },
    { soc: deviceType === 'pv' ? null : 0.5, visit: { pluggedIn: true, secondsLeft: 3_600 } },
    randomStream(1, 'd'),
  );
}

const aSetpoint = (given: Partial<ReceivedSetpoint>): ReceivedSetpoint => ({
  messageId: 'a',
  correlationId: 'plan',
  timestampMs: NOW,
  targetPowerKw: 4,
  mode: 'charge',
  validUntilMs: NOW + 60_000,
  rampKwPerS: null,
  ...given,
});

/** Power after a step of one second that ends at `monotonicMs`. */
function powerAt(
  device: SimulatedDevice,
  monotonicMs: number,
  moment: { sunshine?: number; simulatedHours?: number } = {},
) {
  device.step({ seconds: 1, simulatedHours: 0, monotonicMs, sunshine: 1, ...moment });
  return device.powerKw;
}

const powersOf = (device: SimulatedDevice, seconds: number): number[] =>
  Array.from({ length: seconds }, (_, second) => Number(powerAt(device, second * 1_000).toFixed(9)));
