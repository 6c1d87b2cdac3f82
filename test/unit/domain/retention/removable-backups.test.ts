import fc from 'fast-check';
import {
  removableBackups,
  type RetainableBackup,
  type RetentionRule,
} from '../../../../domain/retention/removable-backups';

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 10, 25, 3);
const RULE: RetentionRule = { keepMs: 30 * DAY_MS, leastDaily: 7, leastWeekly: 4, leastNewest: 1 };

/** Taken each night, the last one this night. `v` verified, `s` stored only, `d` damaged, `-` none. */
const nights = (outcomes: string): RetainableBackup[] =>
  Array.from(outcomes).flatMap((outcome, index) =>
    outcome === '-'
      ? []
      : [
          {
            backupId: `night-${String(outcomes.length - 1 - index)}`,
            takenAtMs: NOW_MS - 3_600_000 - (outcomes.length - 1 - index) * DAY_MS,
            proofCheckId: outcome === 'v' ? index : null,
            isDamaged: outcome === 'd',
          },
        ],
  );
const removed = (outcomes: string, newestAttemptFailed = false): string[] =>
  removableBackups(nights(outcomes), RULE, { nowMs: NOW_MS, newestAttemptFailed }).map(({ backupId }) => backupId);

describe('letting backups go', () => {
  it('removes those that are past their time and names the newest verified one as the proof', () => {
    const found = removableBackups(nights('v'.repeat(33)), RULE, { nowMs: NOW_MS, newestAttemptFailed: false });
    expect(found).toEqual([
      { backupId: 'night-32', because: { backupId: 'night-0', checkId: 32 } },
      { backupId: 'night-31', because: { backupId: 'night-0', checkId: 32 } },
      { backupId: 'night-30', because: { backupId: 'night-0', checkId: 32 } },
    ]);
  });

  it('pitfall: an outage does not let age erase the last good copies', () => {
    expect(removed(`vvvvvvv${'d'.repeat(60)}v`)).not.toContain('night-61');
    expect(removed(`vvv${'-'.repeat(60)}v`)).toEqual([]);
  });

  it.each`
    why                                 | outcomes                | failed
    ${'the newest one is not verified'} | ${`${'v'.repeat(40)}s`} | ${false}
    ${'the newest one is damaged'}      | ${`${'v'.repeat(40)}d`} | ${false}
    ${'a newer attempt has failed'}     | ${'v'.repeat(40)}       | ${true}
  `('removes nothing while $why', ({ outcomes, failed }: { outcomes: string; failed: boolean }) => {
    expect(removed(outcomes, failed)).toEqual([]);
  });

  it('whatever failed, keeps the newest verified one, seven daily and four weekly ones, and all of the last 30 days', () => {
    const outcome = fc.constantFrom('v', 's', 'd', '-');
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 120 }), fc.boolean(), (history, failed) => {
        const all = nights(history.join(''));
        const gone = new Set(removed(history.join(''), failed));
        const verified = all.filter(({ proofCheckId }) => proofCheckId !== null);
        const kept = verified.filter(({ backupId }) => !gone.has(backupId));
        const days = (list: RetainableBackup[]) => list.length; // one a night
        const weeks = (list: RetainableBackup[]) =>
          new Set(list.map(({ takenAtMs }) => Math.floor((takenAtMs / DAY_MS + 3) / 7))).size;
        expect(days(kept)).toBeGreaterThanOrEqual(Math.min(7, days(verified)));
        expect(weeks(kept)).toBeGreaterThanOrEqual(Math.min(4, weeks(verified)));
        expect(verified.length === 0 || kept.includes(verified.at(-1) as RetainableBackup)).toBe(true);
        for (const backup of all)
          if (gone.has(backup.backupId)) expect(backup.takenAtMs).toBeLessThan(NOW_MS - 30 * DAY_MS);
        if ((all.at(-1)?.proofCheckId ?? null) === null || failed) expect(gone.size).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps copies of a broker by age alone, and the newest proven one for good', () => {
    const byAge: RetentionRule = { keepMs: 14 * DAY_MS, leastDaily: 0, leastWeekly: 0, leastNewest: 1 };
    const of = (outcomes: string, newestAttemptFailed = false): string[] =>
      removableBackups(nights(outcomes), byAge, { nowMs: NOW_MS, newestAttemptFailed }).map(({ backupId }) => backupId);
    expect(of('vsdvvvvvvvvvvvvvvv')).toEqual(['night-17', 'night-16', 'night-15', 'night-14']);
    expect(of(`v${'-'.repeat(60)}`)).toEqual([]);
    expect(of(`vv${'-'.repeat(60)}`)).toEqual(['night-61']);
    expect(of(`vv${'v'.repeat(20)}s`)).toEqual([]);
  });
});
