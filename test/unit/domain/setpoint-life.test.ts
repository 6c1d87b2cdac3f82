import { needsRenewal, setpointTtlSeconds } from '../../../domain/setpoint-life';
import { clampedIntervalSeconds, planTimeoutMs, publishTimeoutMs, statementTimeoutMs } from '../../../domain/timeouts';

describe('the life of a setpoint', () => {
  it.each`
    intervalSeconds | ttlSeconds
    ${2}            | ${60}
    ${10}           | ${60}
    ${15}           | ${90}
    ${60}           | ${360}
  `('is $ttlSeconds s at an interval of $intervalSeconds s', ({ intervalSeconds, ttlSeconds }) => {
    expect(setpointTtlSeconds(intervalSeconds as number)).toBe(ttlSeconds);
  });

  it.each([2, 5, 10, 30, 60])('never has less than a third left when cycles come each %i s', (intervalSeconds) => {
    const ttlSeconds = setpointTtlSeconds(intervalSeconds);
    let validUntilMs = ttlSeconds * 1000;
    for (let nowMs = 0; nowMs < 10 * ttlSeconds * 1000; nowMs += intervalSeconds * 1000) {
      expect(validUntilMs - nowMs).toBeGreaterThan((ttlSeconds * 1000) / 3);
      if (needsRenewal({ validUntilMs }, { nowMs, ttlSeconds, intervalSeconds }))
        validUntilMs = nowMs + ttlSeconds * 1000;
    }
  });

  it('is not renewed in every cycle', () => {
    expect(needsRenewal({ validUntilMs: 50_000 }, { nowMs: 0, ttlSeconds: 60, intervalSeconds: 10 })).toBe(false);
  });
});

describe('the time limits of a cycle', () => {
  it.each`
    intervalSeconds | plan    | statement | publish
    ${1}            | ${800}  | ${640}    | ${800}
    ${2}            | ${800}  | ${640}    | ${800}
    ${5}            | ${2000} | ${1600}   | ${2000}
    ${10}           | ${3000} | ${2400}   | ${4000}
    ${60}           | ${3000} | ${2400}   | ${4000}
  `(
    'at an interval of $intervalSeconds s: plan $plan ms, one statement $statement ms, publish $publish ms',
    ({ intervalSeconds, plan, statement, publish }) => {
      const seconds = intervalSeconds as number;
      expect([planTimeoutMs(seconds), statementTimeoutMs(seconds), publishTimeoutMs(seconds)]).toEqual([
        plan,
        statement,
        publish,
      ]);
    },
  );

  it('are never more than the interval together', () => {
    for (let seconds = 2; seconds < 100; seconds += 0.5) {
      expect(planTimeoutMs(seconds) + publishTimeoutMs(seconds)).toBeLessThan(seconds * 1000);
    }
  });

  it('know no interval below 2 s', () => {
    expect([clampedIntervalSeconds(0.5), clampedIntervalSeconds(7)]).toEqual([2, 7]);
  });
});
