import { table } from '../../../cli/table';
import { ageText, durationMs, moment } from '../../../cli/times';

describe('a duration', () => {
  it.each([
    ['90s', 90_000],
    ['30m', 1_800_000],
    ['1h30m', 5_400_000],
    ['2d', 172_800_000],
  ])('%s is %i ms', (text, ms) => {
    expect(durationMs(text)).toBe(ms);
  });

  it.each(['', '0m', '30', 'm', '1.5h', '1h 30m', '-5m'])('"%s" is none', (text) => {
    expect(() => durationMs(text)).toThrow('is no duration; write 90s, 30m, 1h30m or 2d');
  });
});

describe('a moment', () => {
  const now = new Date(2026, 4, 1, 12, 0);

  it('is now, a time of today that is still to come, or one of tomorrow', () => {
    expect(moment('now', now)).toEqual(now);
    expect(moment('17:30', now)).toEqual(new Date(2026, 4, 1, 17, 30));
    expect(moment('9:00', now)).toEqual(new Date(2026, 4, 2, 9, 0));
  });

  it('is a whole time with its zone', () => {
    expect(moment('2026-05-01T19:00:00+02:00', now)).toEqual(new Date('2026-05-01T17:00:00Z'));
  });

  it.each(['tomorrow', '25:00', '2026-05-01T19:00:00', '2026-13-01T00:00:00Z', '2026-05-01'])(
    '"%s" is none',
    (text) => {
      expect(() => moment(text, now)).toThrow('is no time; write now, 17:00, or 2026-05-01T17:00:00+02:00');
    },
  );
});

it.each([
  [null, '-'],
  [4.4, '4 s'],
  [119, '119 s'],
  [180, '3 min'],
  [7_200, '2 h'],
])('an age of %p s reads %s', (seconds, text) => {
  expect(ageText(seconds)).toBe(text);
});

it('a table has its numbers to the right', () => {
  expect(
    table([
      ['FEEDER', 'FLOW'],
      ['a', '-3.5'],
      ['longer', '120.0'],
    ]),
  ).toBe('FEEDER   FLOW\na        -3.5\nlonger  120.0');
});
