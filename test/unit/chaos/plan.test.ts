import fc from 'fast-check';
import { endOf, makePlan, toldPlan } from '../../../chaos/plan';

const TARGETS = [
  { name: 'api', kinds: ['kill', 'hang', 'restart'] },
  { name: 'worker-1', kinds: ['kill', 'hang'] },
  { name: 'worker-1/control', kinds: ['kill', 'hang'] },
  { name: 'postgres', kinds: ['kill', 'hang'] },
  { name: 'link:postgres', kinds: ['cut', 'stall'] },
] as const;

describe('a plan of faults', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(makePlan(7, 120, TARGETS)).toEqual(makePlan(7, 120, TARGETS));
    expect(makePlan(8, 120, TARGETS)).not.toEqual(makePlan(7, 120, TARGETS));
  });

  it('is over in its time, breaks at most two parts at once, and no part that is broken already', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), fc.integer({ min: 12, max: 200 }), (seed, seconds) => {
        const plan = makePlan(seed, seconds, TARGETS);
        for (const [index, fault] of plan.entries()) {
          expect(endOf(fault)).toBeLessThanOrEqual(seconds + 0.1);
          const under = plan.slice(0, index).filter((earlier) => endOf(earlier) > fault.atSeconds);
          const trees = [...under, fault].map(({ target }) => target.split('/')[0]);
          expect([trees.length <= 2, new Set(trees).size]).toEqual([true, trees.length]);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('deals every fault of every part, and none much more often than another', () => {
    const times = new Map<string, number>();
    for (const { target, kind } of makePlan(3, 600, TARGETS))
      times.set(`${kind} ${target}`, (times.get(`${kind} ${target}`) ?? 0) + 1);
    expect(times.size).toBe(11);
    expect(Math.max(...times.values()) - Math.min(...times.values())).toBeLessThanOrEqual(3);
  });

  it('is told line by line', () => {
    expect(toldPlan([{ target: 'api', kind: 'kill', atSeconds: 3.2, forSeconds: 1 }])).toEqual([
      '   3.2 s  kill        api for 1.0 s',
    ]);
  });
});
