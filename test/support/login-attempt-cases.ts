import type { AttemptCounter } from '../../api/auth/login-back-off';

export interface CounterUnderTest extends AttemptCounter {
  /** Lets time go by. */
  pass(seconds: number): Promise<void>;
}

const OLGA = { user: 'olga', address: '10.0.0.1' };

/** What counting attempts promises, wherever it is done. */
export function loginAttemptCases(start: () => Promise<CounterUnderTest>): void {
  it('the fifth failure of a user from an address blocks the pair for a second, each further one doubles it up to a minute', async () => {
    const counter = await start();
    const blocked: number[] = [];
    for (let failure = 0; failure < 12; failure += 1) {
      expect((await counter.count(OLGA)).blockedSeconds).toBe(0);
      const { blockedSeconds } = failure < 4 ? { blockedSeconds: 0 } : await counter.count(OLGA);
      blocked.push(blockedSeconds);
      await counter.pass(blockedSeconds);
    }
    expect(blocked).toEqual([0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]);
  });

  it('a blocked pair counts nothing, so that knocking on keeps nobody out longer', async () => {
    const counter = await start();
    for (let failure = 0; failure < 5; failure += 1) await counter.count(OLGA);
    for (let knock = 0; knock < 10; knock += 1)
      expect(await counter.count(OLGA)).toEqual({ blockedSeconds: 1, userFailures: 0 });
    await counter.pass(1);
    expect(await counter.count(OLGA)).toEqual({ blockedSeconds: 0, userFailures: 6 });
  });

  it('others are not blocked: the same user from elsewhere, another user from there', async () => {
    const counter = await start();
    for (let failure = 0; failure < 5; failure += 1) await counter.count(OLGA);
    expect(await counter.count({ ...OLGA, address: '10.0.0.2' })).toEqual({ blockedSeconds: 0, userFailures: 6 });
    expect(await counter.count({ ...OLGA, user: 'otto' })).toEqual({ blockedSeconds: 0, userFailures: 1 });
  });

  it('success makes the pair new, and takes itself back from what is counted under the name', async () => {
    const counter = await start();
    for (let failure = 0; failure < 4; failure += 1) await counter.count(OLGA);
    await counter.count({ ...OLGA, address: '10.0.0.2' });
    await counter.count(OLGA);
    await counter.forget(OLGA);
    expect(await counter.count(OLGA)).toEqual({ blockedSeconds: 0, userFailures: 6 });
    expect(await counter.count(OLGA)).toEqual({ blockedSeconds: 0, userFailures: 7 });
  });

  it('a quarter of an hour without a failure begins anew', async () => {
    const counter = await start();
    for (let failure = 0; failure < 5; failure += 1) await counter.count(OLGA);
    await counter.pass(901);
    expect(await counter.count(OLGA)).toEqual({ blockedSeconds: 0, userFailures: 1 });
    expect(await counter.count(OLGA)).toEqual({ blockedSeconds: 0, userFailures: 2 });
  });

  it('twenty attempts at once are no more than five', async () => {
    const counter = await start();
    const attempts = await Promise.all(Array.from({ length: 20 }, () => counter.count(OLGA)));
    expect(attempts.filter(({ blockedSeconds }) => blockedSeconds === 0)).toHaveLength(5);
  });
}
