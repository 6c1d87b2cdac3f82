import { DeviceAllowance } from '../../../ingest/device-allowance';

const taken = (allowance: DeviceAllowance, topic: string, times: number, nowMs: number): number =>
  Array.from({ length: times }, () => allowance.take(topic, nowMs)).filter(Boolean).length;

describe('what a device may send', () => {
  it('is its whole burst at once, and then so many a second', () => {
    const allowance = new DeviceAllowance({ burst: 50, perSecond: 10 });
    expect(taken(allowance, 'ev-1', 100, 0)).toBe(50);
    expect(taken(allowance, 'ev-1', 100, 1_000)).toBe(10);
    expect(taken(allowance, 'ev-1', 100, 1_050)).toBe(0);
    expect(taken(allowance, 'ev-1', 100, 1_100)).toBe(1);
  });

  it('comes back while it is quiet, up to the burst and no further', () => {
    const allowance = new DeviceAllowance({ burst: 50, perSecond: 10 });
    taken(allowance, 'ev-1', 50, 0);
    expect(taken(allowance, 'ev-1', 100, 3_600_000)).toBe(50);
  });

  it('is its own', () => {
    const allowance = new DeviceAllowance({ burst: 5, perSecond: 1 });
    taken(allowance, 'ev-1', 10, 0);
    expect(taken(allowance, 'ev-2', 5, 0)).toBe(5);
  });

  it('does not shrink when the clock is set back', () => {
    const allowance = new DeviceAllowance({ burst: 5, perSecond: 1 });
    taken(allowance, 'ev-1', 1, 10_000);
    expect(taken(allowance, 'ev-1', 10, 0)).toBe(4);
  });
});
