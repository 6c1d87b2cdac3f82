import { envelopeFaults } from '../../../domain/envelopes';

const HOUR = 3_600_000;
const from = (
  hour: number,
  toHour: number,
  limits: { importLimitKw?: number; exportLimitKw?: number } = { importLimitKw: 5 },
) => ({
  startsAtMs: hour * HOUR,
  endsAtMs: toHour * HOUR,
  importLimitKw: limits.importLimitKw ?? null,
  exportLimitKw: limits.exportLimitKw ?? null,
});

describe('what a source publishes', () => {
  it('may be intervals that follow each other, in any order, with gaps', () => {
    expect(envelopeFaults([from(3, 4), from(1, 2), from(2, 3), from(6, 9)])).toEqual([]);
  });

  it.each`
    what                             | intervals                       | pointer                    | message
    ${'an interval that ends first'} | ${[from(2, 2)]}                 | ${'/intervals/0/endsAt'}   | ${'must be after startsAt'}
    ${'one that limits nothing'}     | ${[from(1, 2), from(2, 3, {})]} | ${'/intervals/1'}          | ${'limits nothing: give importLimitKw, exportLimitKw or both'}
    ${'two that overlap'}            | ${[from(2, 4), from(1, 3)]}     | ${'/intervals/0/startsAt'} | ${'begins before interval 1 has ended'}
  `('is refused for $what', ({ intervals, pointer, message }) => {
    expect(envelopeFaults(intervals as ReturnType<typeof from>[])).toEqual([{ pointer, message }]);
  });
});
