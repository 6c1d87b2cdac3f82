import fc from 'fast-check';
import { removableByAge, type AgedCopy } from '../../../../domain/retention/by-age';

const DAY_MS = 86_400_000;
const NOW_MS = 1_800_000_000_000;

const aCopy = (id: string, daysOld: number, isProven = true): AgedCopy => ({
  id,
  takenAtMs: NOW_MS - daysOld * DAY_MS,
  isProven,
});
const removed = (...copies: AgedCopy[]): string[] => removableByAge(copies, NOW_MS, 14).map(({ id }) => id);

describe('copies kept by age', () => {
  it('go when they are older than that, proven or not, naming the newer proven copy that lets them go', () => {
    const copies = [aCopy('old', 15), aCopy('edge', 14), aCopy('unproven', 20, false), aCopy('last night', 0.5)];
    expect(removableByAge(copies, NOW_MS, 14)).toEqual([
      { id: 'old', because: 'last night' },
      { id: 'unproven', because: 'last night' },
    ]);
  });

  it('stay when all are old: the newest proven one is never removed', () => {
    expect(removed(aCopy('old', 100), aCopy('newest', 50))).toEqual(['old']);
    expect(removed(aCopy('newest', 50))).toEqual([]);
  });

  it('stay, all of them, while the newest is not proven', () => {
    expect(removed(aCopy('old', 100), aCopy('good', 50), aCopy('failed', 0.5, false))).toEqual([]);
    expect(removed(aCopy('old', 100, false))).toEqual([]);
  });

  it('stay when there are none', () => {
    expect(removed()).toEqual([]);
  });
});

describe('over any history of nights that fail', () => {
  const nights = fc.array(fc.record({ isMade: fc.boolean(), isProven: fc.boolean() }), { maxLength: 120 });

  it('the newest proven copy survives, and nothing goes that is young or without a newer proven one', () => {
    fc.assert(
      fc.property(nights, fc.integer({ min: 1, max: 30 }), (history, keepDays) => {
        let stored: AgedCopy[] = [];
        history.forEach(({ isMade, isProven }, night) => {
          const nowMs = night * DAY_MS;
          if (isMade) stored.push({ id: `night ${night}`, takenAtMs: nowMs, isProven });
          const newestProven = stored.findLast((copy) => copy.isProven);
          const removals = removableByAge(stored, nowMs, keepDays);
          for (const { id, because } of removals) {
            const copy = stored.find((one) => one.id === id)!;
            expect(nowMs - copy.takenAtMs).toBeGreaterThan(keepDays * DAY_MS);
            expect(because).toBe(newestProven?.id);
            expect(id).not.toBe(because);
          }
          stored = stored.filter(({ id }) => !removals.some((removal) => removal.id === id));
          if (newestProven) expect(stored).toContain(newestProven);
        });
      }),
    );
  });

  it('no more is kept than the days ask for, once nights are good again', () => {
    fc.assert(
      fc.property(nights, (history) => {
        const stored = history.flatMap(({ isMade, isProven }, night) =>
          isMade ? [{ id: String(night), takenAtMs: night * DAY_MS, isProven }] : [],
        );
        const nowMs = (history.length + 1) * DAY_MS;
        const all = [...stored, { id: 'good', takenAtMs: nowMs, isProven: true }];
        const kept = all.length - removableByAge(all, nowMs, 14).length;
        expect(kept).toBeLessThanOrEqual(15);
      }),
    );
  });
});
