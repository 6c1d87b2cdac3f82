import { ReportSchedule } from '../../../simulator/report-schedule';

describe('the schedule of reports', () => {
  it('spreads a fleet evenly over its interval', () => {
    const schedule = new ReportSchedule(4, 1_000, 0);
    const seen = [0, 100, 250, 300, 600, 999, 1_000].map((ms) => [...schedule.due(ms)]);

    expect(seen).toEqual([[0], [], [1], [], [2], [3], [0]]);
  });

  it('names everybody once per interval, however seldom it is asked', () => {
    const schedule = new ReportSchedule(3, 1_000, 0);
    const counts = [0, 0, 0];
    for (let ms = 0; ms < 10_000; ms += 70)
      for (const sender of schedule.due(ms)) counts[sender] = (counts[sender] ?? 0) + 1;

    expect(counts).toEqual([10, 10, 10]);
  });

  it('does not make up for more than a round after a long stop', () => {
    const schedule = new ReportSchedule(3, 1_000, 0);

    expect([...schedule.due(60_000)].sort()).toEqual([0, 1, 2]);
    expect([...schedule.due(60_001)]).toEqual([]);
  });

  it('has nothing to say about nobody', () => {
    expect([...new ReportSchedule(0, 1_000, 0).due(5_000)]).toEqual([]);
  });
});
