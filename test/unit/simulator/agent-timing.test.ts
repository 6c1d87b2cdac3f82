import { busiestSpan } from '../../../drills/postgres/connection-peak';
import { pauseMs, USUAL_TIMING } from '../../../simulator/agent-timing';

describe('agents whose broker is lost', () => {
  it('come back spread over seconds when it was away for a while, however many they are', () => {
    const AGENTS = 2_000;
    const AWAY_MS = 30_000;
    const back = Array.from({ length: AGENTS }, () => {
      let atMs = 0;
      for (let failed = 0; ; failed += 1) {
        atMs += pauseMs(USUAL_TIMING, failed);
        if (atMs >= AWAY_MS) return atMs;
      }
    });
    expect(busiestSpan(back, 1_000)).toBeLessThan(0.5 * AGENTS); // in step they would all be back in one
    expect(Math.max(...back) - AWAY_MS).toBeLessThan(1.34 * USUAL_TIMING.reconnectMs.longest);
  });

  it('wait longer each time, each a little differently', () => {
    const atMost = [0, 1, 2, 3, 4, 5, 6].map((failed) => pauseMs(USUAL_TIMING, failed, () => 0.5));
    expect(atMost).toEqual([302, 603, 1_206, 2_412, 4_824, 5_025, 5_025]);
    expect(pauseMs(USUAL_TIMING, 3, () => 0)).toBe(1_608);
    expect(pauseMs(USUAL_TIMING, 3, () => 0.999)).toBe(3_214);
  });
});
