import { sweepableRemains, type Remains } from '../../../../domain/retention/sweepable-remains';

const DAY_MS = 86_400_000;
const NOW_MS = 1_800_000_000_000;
const because = { backupId: 'newest', checkId: 7 };
const half = (key: string, daysOld: number): Remains => ({ key, storedAtMs: NOW_MS - daysOld * DAY_MS });
const swept = (newestDaysOld: number | null, ...remains: Remains[]): string[] =>
  sweepableRemains(
    remains,
    newestDaysOld === null ? null : { takenAtMs: NOW_MS - newestDaysOld * DAY_MS, because },
    NOW_MS,
  ).map(({ key }) => key);

describe('halves of unfinished backups', () => {
  it('go when they are older than a week, naming the newer proven backup that lets them go', () => {
    const remains = [half('old', 7.1), half('edge', 7), half('young', 1)];
    expect(sweepableRemains(remains, { takenAtMs: NOW_MS - DAY_MS, because }, NOW_MS)).toEqual([
      { ...half('old', 7.1), because },
    ]);
  });

  it('stay while nothing is proven, and when they are newer than what is', () => {
    expect(swept(null, half('old', 100))).toEqual([]);
    expect(swept(20, half('newer', 19), half('older', 21))).toEqual(['older']);
  });
});
