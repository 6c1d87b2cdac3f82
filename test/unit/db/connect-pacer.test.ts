import { createConnectPacer } from '../../../db/connect-pacer';

describe('connections after a loss', () => {
  const latest = (): number => 0.999;

  it('wait for nothing while nothing has failed', () => {
    expect(createConnectPacer(500, latest).pauseMs()).toBe(0);
  });

  it('wait a random time below a bound that doubles with each failure, and no longer than the longest', () => {
    const pacer = createConnectPacer(500, latest);
    const bounds = Array.from({ length: 6 }, () => {
      pacer.failed();
      return pacer.pauseMs();
    });
    expect(bounds).toEqual([49, 99, 199, 399, 499, 499]);
    expect(createConnectPacer(500, () => 0).pauseMs()).toBe(0);
  });

  it('come one by one after the first success, and freely after the second', () => {
    const pacer = createConnectPacer(500, latest);
    for (let i = 0; i < 5; i += 1) pacer.failed();
    pacer.succeeded();
    expect(pacer.pauseMs()).toBe(49);
    pacer.succeeded();
    expect(pacer.pauseMs()).toBe(0);
  });
});
