import { trendOf, type Allowance, type Series } from '../../../soak/trend';
import { judge } from '../../../soak/verdict';

const MINUTE_MS = 60_000;
const FLAT: Allowance = { kind: 'flat', growsByShare: 0.05, slack: 5 };
const STEADY: Allowance = { kind: 'steady', fasterByShare: 0.2, slack: 50 };

/** An hour, a value each minute. */
const hourOf = (valueAt: (minute: number) => number, allowance: Allowance): Series => ({
  ...{ name: 'heap', allowance },
  points: Array.from({ length: 61 }, (_, minute) => ({ atMs: minute * MINUTE_MS, value: valueAt(minute) })),
});
/** Up and down like a heap between two collections, without a trend. */
const saw = (minute: number): number => (minute % 7) * 2;

describe('a series that should be flat', () => {
  it('may go up and down', () => {
    const trend = trendOf(hourOf((minute) => 100 + saw(minute), FLAT));
    expect(trend).toMatchObject({ holds: true, samples: 61, most: 112 });
    expect(Math.abs(trend.perHour)).toBeLessThan(1);
  });

  it('may not climb under its ups and downs', () => {
    const trend = trendOf(hourOf((minute) => 100 + saw(minute) + minute / 3, FLAT));
    expect(trend.holds).toBe(false);
    expect(trend.perHour).toBeGreaterThan(18);
    expect(trend.perHour).toBeLessThan(22);
  });

  it('may have jumped once, as long as it does not go on', () => {
    expect(trendOf(hourOf((minute) => (minute === 30 ? 900 : 100), FLAT)).holds).toBe(true);
  });

  it('is not judged by a slope that came to next to nothing', () => {
    const points = [0, 1, 2, 3, 4].map((minute) => ({ atMs: minute * MINUTE_MS, value: 20 + minute }));
    expect(trendOf({ name: 'handles', points, allowance: FLAT }).holds).toBe(true);
  });

  it('is not proven by too few looks', () => {
    const points = [{ atMs: 0, value: 20 }];
    expect(trendOf({ name: 'handles', points, allowance: FLAT }).holds).toBe(false);
  });
});

it('what is bounded may go back and forth below its bound and no higher', () => {
  const bounded = (most: number) => trendOf(hourOf((minute) => (minute * 50) % 600, { kind: 'bounded', most }));
  expect([bounded(600).holds, bounded(500).holds]).toEqual([true, false]);
});

it('a table may grow by what comes in, and not faster and faster', () => {
  expect(trendOf(hourOf((minute) => 100 + minute * 20, STEADY)).holds).toBe(true);
  expect(trendOf(hourOf((minute) => 100 + minute * minute, STEADY)).holds).toBe(false);
});

describe('the handles of the Temporal server', () => {
  const holds = (minutes: number, handlesAt: (minute: number) => number): boolean[] =>
    judge(
      Array.from({ length: minutes + 1 }, (_, minute) => ({
        atMs: minute * MINUTE_MS,
        sample: new Map([['file handles: temporal', handlesAt(minute)]]),
      })),
      15 * MINUTE_MS,
    ).map((trend) => trend.holds);

  it('may rise for half an hour, and no longer', () => {
    expect(holds(60, (minute) => 42 + 11 * Math.min(minute, 30))).toEqual([true]);
    expect(holds(60, (minute) => 42 + 11 * minute)).toEqual([false]);
  });
});
