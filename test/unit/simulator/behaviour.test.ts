import { drawFaults } from '../../../simulator/behaviour';

const IDS = Array.from({ length: 20 }, (_, index) => `device-${String(index)}`);

describe('faults of a fleet', () => {
  it('fall on as many devices as asked, nobody twice', () => {
    const drawn = drawFaults(IDS, { silent: 3, disobey: 2, clockSkew: 1, offline: 1, fault: 1 }, 1);
    const behaviours = [...drawn.values()];

    expect(drawn.size).toBe(8);
    expect(behaviours.filter(({ silent }) => silent)).toHaveLength(3);
    expect(behaviours.filter(({ disobedient }) => disobedient)).toHaveLength(2);
    expect(behaviours.filter(({ clockOffsetSeconds }) => clockOffsetSeconds === 20)).toHaveLength(1);
    expect(behaviours.filter(({ offline }) => offline)).toHaveLength(1);
    expect(behaviours.filter(({ faultCode }) => faultCode === 'E-17')).toHaveLength(1);
  });

  it('fall on the same devices for the same seed', () => {
    expect(drawFaults(IDS, { silent: 5 }, 4)).toEqual(drawFaults(IDS, { silent: 5 }, 4));
    expect(drawFaults(IDS, { silent: 5 }, 4)).not.toEqual(drawFaults(IDS, { silent: 5 }, 5));
  });

  it('are refused when there are more of them than devices', () => {
    expect(() => drawFaults(['a'], { silent: 2 }, 1)).toThrow('the fleet has only 1 devices to misbehave');
  });
});
