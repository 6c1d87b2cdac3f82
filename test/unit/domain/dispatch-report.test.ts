import { dispatchReport, type DispatchReportInput, type Measurement } from '../../../domain/dispatch-report';

const START = Date.UTC(2026, 0, 1, 17);
const MINUTE = 60_000;

/** A measurement each minute from the start on. */
const eachMinute = (...powersKw: (number | null)[]): Measurement[] =>
  powersKw.map((measuredKw, minute) => ({ atMs: START + minute * MINUTE, highKw: 60, lowKw: null, measuredKw }));

const report = (input: Partial<DispatchReportInput>) =>
  dispatchReport({
    beginsAtMs: START,
    endsAtMs: START + 4 * MINUTE,
    baselineKw: 90,
    measurements: [],
    intervalSeconds: 120,
    ...input,
  });

describe('the report of a dispatch', () => {
  it('says how much energy was moved from the baseline, how well the limit was kept, and the powers', () => {
    expect(report({ measurements: eachMinute(75, 60, 57, 60) })).toMatchObject({
      baselineKw: 90,
      measuredSeconds: 240,
      unmeasuredSeconds: 0,
      meanKw: 63,
      minKw: 57,
      maxKw: 75,
      deliveredKwh: 1.8,
      compliancePercent: 75,
    });
  });

  it('says the same for each interval', () => {
    const { intervals } = report({ measurements: eachMinute(75, 60, 57, 60) });
    expect(intervals).toMatchObject([
      { fromMs: START, toMs: START + 2 * MINUTE, meanKw: 67.5, deliveredKwh: 0.75, compliancePercent: 50 },
      {
        fromMs: START + 2 * MINUTE,
        toMs: START + 4 * MINUTE,
        meanKw: 58.5,
        deliveredKwh: 1.05,
        compliancePercent: 100,
      },
    ]);
  });

  it('splits a measurement that reaches over the end of an interval', () => {
    const measurements = eachMinute(60, 60, 60, 60).map((sample) => ({ ...sample, atMs: sample.atMs - 30_000 }));
    const { intervals, unmeasuredSeconds } = report({ measurements });
    expect(intervals.map(({ measuredSeconds }) => measuredSeconds)).toEqual([120, 90]);
    expect(unmeasuredSeconds).toBe(30);
  });

  it('does not take a gap for a measurement: nothing holds longer than a minute', () => {
    expect(report({ measurements: eachMinute(60, null, null, 60) })).toMatchObject({
      measuredSeconds: 120,
      unmeasuredSeconds: 120,
    });
  });

  it('knows nothing, rather than 0, when nothing was measured', () => {
    expect(report({ measurements: eachMinute(null) })).toMatchObject({
      meanKw: null,
      minKw: null,
      maxKw: null,
      deliveredKwh: null,
      compliancePercent: null,
      unmeasuredSeconds: 240,
    });
  });

  it('cannot tell what was delivered without a baseline', () => {
    expect(report({ baselineKw: null, measurements: eachMinute(60) })).toMatchObject({
      deliveredKwh: null,
      compliancePercent: 100,
    });
  });

  it.each`
    what                                   | highKw  | lowKw   | baselineKw | measuredKw | deliveredKwh
    ${'less import'}                       | ${60}   | ${null} | ${90}      | ${60}      | ${0.5}
    ${'more import than before: negative'} | ${60}   | ${null} | ${90}      | ${96}      | ${-0.1}
    ${'less export'}                       | ${null} | ${-30}  | ${-60}     | ${-30}     | ${0.5}
    ${'a target from below'}               | ${30}   | ${30}   | ${0}       | ${30}      | ${0.5}
    ${'a target from above'}               | ${-30}  | ${-30}  | ${0}       | ${-30}     | ${0.5}
    ${'nothing: the baseline was inside'}  | ${60}   | ${-60}  | ${10}      | ${40}      | ${0}
  `('counts as delivered $what', ({ highKw, lowKw, baselineKw, measuredKw, deliveredKwh }) => {
    const measurements = [{ atMs: START, highKw, lowKw, measuredKw } as Measurement];
    const found = report({ endsAtMs: START + MINUTE, baselineKw: baselineKw as number, measurements }).deliveredKwh;
    expect(found).toBeCloseTo(deliveredKwh as number, 9);
  });

  it('is quick for a week of cycles each 2 s', () => {
    const measurements = Array.from({ length: 302_400 }, (_, i) => ({
      atMs: START + i * 2000,
      highKw: 60,
      lowKw: null,
      measuredKw: 50,
    }));
    const { intervals, compliancePercent } = dispatchReport({
      beginsAtMs: START,
      endsAtMs: START + 604_800_000,
      baselineKw: 60,
      measurements,
    });
    expect([intervals.length, compliancePercent]).toEqual([672, 100]);
  });
});
