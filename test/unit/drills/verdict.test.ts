import type { CanaryOutcome } from '../../../drills/canary';
import { faultsOf, type Measured } from '../../../drills/verdict';

const calls = (gapMs: number, failed = 0) => ({ attempts: 100, failed, gapMs, errors: {} });
const outcome = (more: Partial<CanaryOutcome> = {}): CanaryOutcome => ({
  ...{ writes: calls(400), reads: calls(300), acknowledged: 100, lost: 0, lostSeqs: [], staleReads: 0 },
  ...more,
});
const SEEN = {
  downAt: '2026-11-28T10:00:00.000Z',
  upAgainAt: '2026-11-28T10:00:02.000Z',
  scrapes: 50,
  failedScrapes: 0,
};
const measured = (more: Partial<Measured> = {}): Measured => ({
  ...{ canary: outcome(), gauge: SEEN, offlineDevices: { before: 2, after: 2 }, notBack: [], findings: [] },
  ...more,
});
const drill = {
  budget: { gapMs: 1_000, errors: 0, lost: 0, recoveryMs: 60_000 },
  gauge: { name: 'derms_db_up', expected: 'dips' },
} as const;
const steady = { ...drill, gauge: { name: 'derms_db_up', expected: 'stays-up' } } as const;
const NEVER = { ...SEEN, downAt: null, upAgainAt: null };

describe('the verdict', () => {
  it('is without fault when every promise was kept', () => {
    expect(faultsOf(drill, measured())).toEqual([]);
    expect(faultsOf(steady, measured({ gauge: NEVER }))).toEqual([]);
  });

  it.each([
    [
      'a gap over the budget',
      drill,
      { canary: outcome({ writes: calls(1_001) }) },
      'the longest time without an acknowledged write was 1001 ms, promised are 1000 ms',
    ],
    [
      'reads that stopped for longer',
      drill,
      { canary: outcome({ reads: calls(1_200) }) },
      'the longest time without an answered read was 1200 ms, promised are 1000 ms',
    ],
    [
      'attempts that failed',
      drill,
      { canary: outcome({ writes: calls(400, 2), reads: calls(300, 1) }) },
      'attempts of the canary that failed: 3, promised are 0',
    ],
    [
      'acknowledged writes that are gone',
      drill,
      { canary: outcome({ lost: 59, lostSeqs: [7] }) },
      'acknowledged writes that are gone: 59, promised are 0',
    ],
    [
      'an older copy that has answered',
      drill,
      { canary: outcome({ staleReads: 4 }) },
      'reads that an older copy has answered: 4, promised are 0',
    ],
    [
      'an outage that nobody would have been alerted of',
      drill,
      { gauge: NEVER },
      'derms_db_up was never seen at 0: nobody would have been alerted',
    ],
    [
      'an alert that does not clear',
      drill,
      { gauge: { ...SEEN, upAgainAt: null } },
      `derms_db_up is 0 since ${SEEN.downAt}`,
    ],
    ['an alert in a planned switchover', steady, {}, `derms_db_up was 0 at ${SEEN.downAt}`],
    [
      'devices that stay away',
      drill,
      { offlineDevices: { before: 2, after: 5 } },
      'devices offline afterwards and not before: 3, promised are 0',
    ],
    [
      'what must hold and does not',
      drill,
      { findings: [{ what: 'the old primary takes no write', holds: false, detail: 'it took one' }] },
      'the old primary takes no write: it took one',
    ],
  ])('names %s', (_what, of, more, fault) => {
    expect(faultsOf(of, measured(more))).toEqual([fault]);
  });

  it('only counts what no promise is made of', () => {
    const counting = { ...drill, budget: { ...drill.budget, errors: null, lost: null } };
    expect(faultsOf(counting, measured({ canary: outcome({ lost: 59, writes: calls(400, 8) }) }))).toEqual([]);
  });
});
