import { missedTicks, nextTickMs, tickOffsetMs } from '../../../domain/control-ticks';

const NOON = Date.UTC(2026, 0, 1, 12);

describe('the ticks of a loop', () => {
  it('are multiples of its interval plus an offset of its own', () => {
    const tick = nextTickMs(NOON, 10_000, 'feeder-a');
    expect(tick % 10_000).toBe(tickOffsetMs('feeder-a', 10_000));
    expect(tick - NOON).toBeGreaterThan(0);
    expect(tick - NOON).toBeLessThanOrEqual(10_000);
  });

  it('come after the moment asked, never at it', () => {
    const tick = nextTickMs(NOON, 10_000, 'feeder-a');
    expect(nextTickMs(tick, 10_000, 'feeder-a')).toBe(tick + 10_000);
    expect(nextTickMs(tick - 1, 10_000, 'feeder-a')).toBe(tick);
  });

  it('are the same after a restart', () => {
    expect(tickOffsetMs('feeder-a', 10_000)).toBe(5291);
    expect(tickOffsetMs('feeder-b', 10_000)).toBe(8120);
  });

  it('of many loops are spread over the interval', () => {
    const perSecond = new Array<number>(10).fill(0);
    for (let i = 1; i <= 1000; i += 1) {
      const second = Math.floor(tickOffsetMs(`feeder-${String(i)}`, 10_000) / 1000);
      perSecond[second] = (perSecond[second] ?? 0) + 1;
    }
    expect(Math.min(...perSecond)).toBeGreaterThan(60);
    expect(Math.max(...perSecond)).toBeLessThan(150);
  });
});

describe('missed ticks', () => {
  it.each`
    previousMs | tickMs    | missed
    ${0}       | ${10_000} | ${0}
    ${0}       | ${20_000} | ${1}
    ${0}       | ${95_000} | ${9}
    ${0}       | ${0}      | ${0}
    ${10_000}  | ${0}      | ${0}
    ${0}       | ${12_000} | ${0}
  `('from $previousMs to $tickMs ms at 10 s are $missed', ({ previousMs, tickMs, missed }) => {
    expect(missedTicks(previousMs as number, tickMs as number, 10_000)).toBe(missed);
  });
});
