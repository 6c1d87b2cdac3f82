import fc from 'fast-check';
import { accountTicks, type TickHistory, type TickRun } from '../../../domain/tick-accounting';

const aRun = (given: Partial<TickRun> & Pick<TickRun, 'nominalAtMs'>): TickRun => ({
  runId: 'r1',
  madeAtMs: given.nominalAtMs,
  endedAtMs: given.nominalAtMs + 1,
  skipped: null,
  ...given,
});

const outcomesOf = (history: Partial<TickHistory>): unknown[] =>
  accountTicks({ ticks: [], runs: [], pauses: [], ...history }).map(({ outcome, lateSeconds, detail }) => [
    outcome,
    lateSeconds,
    detail,
  ]);

describe('accounting for ticks', () => {
  it('names a run and how late it was made', () => {
    expect(outcomesOf({ ticks: [60_000], runs: [aRun({ nominalAtMs: 60_000, madeAtMs: 64_500 })] })).toEqual([
      ['ran', 4.5, null],
    ]);
  });

  it('calls a run that found its place taken skipped', () => {
    const runs = [aRun({ nominalAtMs: 60_000, skipped: 'the job runs already: run r0' })];
    expect(outcomesOf({ ticks: [60_000], runs })).toEqual([['skipped', 0, 'the job runs already: run r0']]);
  });

  it('calls a tick skipped while the run before it goes on, to the moment', () => {
    const runs = [aRun({ nominalAtMs: 0, endedAtMs: 120_000 })];
    expect(outcomesOf({ ticks: [60_000, 120_000], runs })).toEqual([
      ['skipped', null, 'the run before it still went on'],
      ['missed', null, null],
    ]);
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

  it('gives every tick exactly one outcome, in order, and never loses or invents one', () => {
    const minutes = fc.integer({ min: 0, max: 200 }).map((minute) => minute * 60_000);
    const run = fc.record({
      runId: fc.uuid(),
      nominalAtMs: minutes,
      madeAtMs: minutes,
      endedAtMs: fc.option(minutes),
      skipped: fc.option(fc.constant('taken')),
    });
    const pause = fc.record({ fromMs: minutes, untilMs: fc.option(minutes), note: fc.constant('n') });
    fc.assert(
      fc.property(
        fc.uniqueArray(minutes).map((ticks) => ticks.sort((a, b) => a - b)),
        fc.array(run),
        fc.array(pause),
        (ticks, runs, pauses) => {
          const accounted = accountTicks({ ticks, runs, pauses });
          expect(accounted.map(({ nominalAtMs }) => nominalAtMs)).toEqual(ticks);
          for (const { outcome, nominalAtMs } of accounted)
            if (runs.some((made) => made.nominalAtMs === nominalAtMs)) expect(['ran', 'skipped']).toContain(outcome);
        },
      ),
    );
  });
});
