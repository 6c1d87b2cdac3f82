import fc from 'fast-check';
import { accountTicks, type NominalTick, type TickHistory, type TickRun } from '../../../domain/tick-accounting';

const LATER = 100_000_000;

const aTick = (atMs: number, given: Partial<NominalTick> = {}): NominalTick => ({
  atMs,
  overlap: 'skip',
  catchUpSeconds: 10,
  ...given,
});
const aRun = (given: Partial<TickRun> & Pick<TickRun, 'nominalAtMs'>): TickRun => ({
  runId: 'r1',
  madeAtMs: given.nominalAtMs,
  beganAtMs: given.madeAtMs ?? given.nominalAtMs,
  endedAtMs: (given.madeAtMs ?? given.nominalAtMs) + 1,
  skipped: null,
  ...given,
});

const outcomesOf = ({ ticks = [], ...history }: Partial<Omit<TickHistory, 'ticks'>> & { ticks?: number[] }) =>
  accountTicks({ ticks: ticks.map((atMs) => aTick(atMs)), runs: [], pauses: [], seenUntilMs: LATER, ...history }).map(
    ({ outcome, lateSeconds, detail }) => [outcome, lateSeconds, detail],
  );

describe('accounting for ticks', () => {
  it('names a run and how late it was taken up', () => {
    expect(outcomesOf({ ticks: [60_000], runs: [aRun({ nominalAtMs: 60_000, madeAtMs: 64_500 })] })).toEqual([
      ['ran', 4.5, null],
    ]);
  });

  it('says whether a late run was started late or waited for a worker', () => {
    const runs = [
      aRun({ nominalAtMs: 60_000, madeAtMs: 70_000, endedAtMs: 71_000 }),
      aRun({ nominalAtMs: 120_000, beganAtMs: 720_000, endedAtMs: 721_000 }),
      aRun({ nominalAtMs: 800_000, madeAtMs: 810_000, beganAtMs: 840_000, endedAtMs: 841_000 }),
    ];
    expect(outcomesOf({ ticks: [60_000, 120_000, 800_000], runs })).toEqual([
      ['ran', 10, 'started 10 s late'],
      ['ran', 600, 'waited 600 s for a worker'],
      ['ran', 40, 'started 10 s late, waited 30 s for a worker'],
    ]);
  });

  it('calls a run waiting until a worker takes it up, and the ticks behind it skipped', () => {
    const runs = [aRun({ nominalAtMs: 60_000, beganAtMs: null, endedAtMs: null })];
    expect(outcomesOf({ ticks: [60_000, 120_000], runs })).toEqual([
      ['waiting', null, 'waits for a worker'],
      ['skipped', null, 'the run before it still went on'],
    ]);
  });

  it('calls a run that found its place taken skipped', () => {
    const runs = [aRun({ nominalAtMs: 60_000, beganAtMs: null, skipped: 'the job runs already: run r0' })];
    expect(outcomesOf({ ticks: [60_000], runs })).toEqual([['skipped', 0.001, 'the job runs already: run r0']]);
  });

  it('calls a tick skipped while the run before it goes on, to the moment', () => {
    const runs = [aRun({ nominalAtMs: 0, endedAtMs: 120_000 })];
    expect(outcomesOf({ ticks: [60_000, 120_000], runs })).toEqual([
      ['skipped', null, 'the run before it still went on'],
      ['missed', null, null],
    ]);
  });

  it('calls a tick due while it may be caught up with, and missed after that', () => {
    expect(outcomesOf({ ticks: [60_000], seenUntilMs: 70_000 })).toEqual([['due', null, 'nothing has started it yet']]);
    expect(outcomesOf({ ticks: [60_000], seenUntilMs: 70_001 })).toEqual([['missed', null, null]]);
  });

  it('tells of an outage: what was too old is missed, one run is late, and stands for those behind it', () => {
    const runs = [
      aRun({ runId: 'r1', nominalAtMs: 0 }),
      aRun({ runId: 'r2', nominalAtMs: 50_000, madeAtMs: 60_000, endedAtMs: 60_500 }),
    ];
    const ticks = [0, 10_000, 20_000, 30_000, 40_000, 50_000, 55_000, 60_000];
    expect(outcomesOf({ ticks, runs }).map(([outcome, late]) => [outcome, late])).toEqual([
      ['ran', 0],
      ['missed', null],
      ['missed', null],
      ['missed', null],
      ['missed', null],
      ['ran', 10],
      ['skipped', null],
      ['skipped', null],
    ]);
    expect(outcomesOf({ ticks, runs }).at(-1)?.[2]).toBe('made up for by the run before it, which was late');
  });

  it('calls a tick paused from the moment of the pause until it is resumed', () => {
    const pauses = [{ fromMs: 60_000, untilMs: 180_000, note: 'olga: maintenance' }];
    expect(outcomesOf({ ticks: [59_000, 60_000, 179_000, 180_000], pauses })).toEqual([
      ['missed', null, null],
      ['paused', null, 'olga: maintenance'],
      ['paused', null, 'olga: maintenance'],
      ['missed', null, null],
    ]);
  });

  it('lets one tick wait for its turn where the schedule has a place for it', () => {
    const ticks = [10_000, 20_000, 30_000].map((atMs) => aTick(atMs, { overlap: 'buffer-one' }));
    const first = aRun({ runId: 'r1', nominalAtMs: 10_000, endedAtMs: null });
    const outcomes = (runs: readonly TickRun[]) =>
      accountTicks({ ticks, runs, pauses: [], seenUntilMs: LATER }).map(({ outcome }) => outcome);
    expect(outcomes([first])).toEqual(['ran', 'waiting', 'skipped']);
    const ended = { ...first, endedAtMs: 35_000 };
    expect(outcomes([ended, aRun({ runId: 'r2', nominalAtMs: 20_000, madeAtMs: 35_000 })])).toEqual([
      'ran',
      'ran',
      'skipped',
    ]);
    expect(outcomes([ended])).toEqual(['ran', 'missed', 'missed']); // its turn came and nothing was started
  });

  it('gives every tick exactly one outcome, in order, and never loses or invents one', () => {
    const minutes = fc.integer({ min: 0, max: 200 }).map((minute) => minute * 60_000);
    const run = fc.record({
      runId: fc.uuid(),
      nominalAtMs: minutes,
      madeAtMs: minutes,
      beganAtMs: fc.option(minutes),
      endedAtMs: fc.option(minutes),
      skipped: fc.option(fc.constant('taken')),
    });
    const pause = fc.record({ fromMs: minutes, untilMs: fc.option(minutes), note: fc.constant('n') });
    const overlap = fc.constantFrom('skip' as const, 'buffer-one' as const);
    fc.assert(
      fc.property(
        fc.uniqueArray(minutes).map((ticks) => ticks.sort((a, b) => a - b)),
        overlap,
        fc.array(run),
        fc.array(pause),
        minutes,
        (times, kind, runs, pauses, seenUntilMs) => {
          const ticks = times.map((atMs) => aTick(atMs, { overlap: kind }));
          const accounted = accountTicks({ ticks, runs, pauses, seenUntilMs });
          expect(accounted.map(({ nominalAtMs }) => nominalAtMs)).toEqual(times);
          for (const { outcome, nominalAtMs } of accounted) {
            if (runs.some((made) => made.nominalAtMs === nominalAtMs))
              expect(['ran', 'skipped', 'waiting']).toContain(outcome);
            if (outcome === 'missed') expect(nominalAtMs).toBeLessThan(seenUntilMs);
          }
        },
      ),
    );
  });
});
