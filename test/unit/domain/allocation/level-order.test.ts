import fc from 'fast-check';
import { LevelOrder } from '../../../../domain/allocation/level-order';

const spread = fc.double({ min: -4, max: 6, noNaN: true });
/** So near to each other that they share a bucket whatever lies elsewhere. */
const crowded = fc.integer({ min: 0, max: 1000 }).map((step) => 1 + step * Number.EPSILON);
const few = fc.constantFrom(-3, -1, 0, 1);
const tiny = fc.constantFrom(0, 5e-324, 1e-323, 1e-322);

describe.each(Object.entries({ spread, crowded, few, tiny, mixed: fc.oneof(spread, crowded, few) }))(
  'of %s levels',
  (_, level) => {
    it('finds the ascending order of a stretch, equal ones as they come, and leaves the rest alone', () => {
      fc.assert(
        fc.property(
          fc.array(level, { maxLength: 300, size: 'max' }),
          fc.nat(300),
          fc.nat(300),
          (given, start, length) => {
            const from = Math.min(start, given.length);
            const to = Math.min(from + length, given.length);
            const levels = Float64Array.from(given);
            const places = Float64Array.from(given, (__, index) => index);
            const order = new LevelOrder(given.length);
            order.find(levels, from, to);
            order.apply(levels, from, to);
            order.apply(places, from, to);

            const expected = given.map((value, index) => [value, index] as const);
            const sorted = expected.slice(from, to).sort(([a, at], [b, bt]) => a - b || at - bt);
            expected.splice(from, to - from, ...sorted);
            expect([...levels].map((value, index) => [value, places[index]])).toEqual(expected);
          },
        ),
        { numRuns: 200 },
      );
    });
  },
);

it('sorts 200,000 levels that crowd around one of them in a time that does not grow with the square', () => {
  const levels = Float64Array.from({ length: 200_000 }, (_, index) => (index === 0 ? 1e9 : (index * 7919) % 1000));
  const order = new LevelOrder(levels.length);
  const startedAt = performance.now();
  order.find(levels, 0, levels.length);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  order.apply(levels, 0, levels.length);
  expect(levels.every((level, index) => index === 0 || level >= (levels[index - 1] ?? NaN))).toBe(true);
});
