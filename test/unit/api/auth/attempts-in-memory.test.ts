import { attemptsInMemory } from '../../../../api/auth/attempts-in-memory';
import { STREAK_RULES } from '../../../../api/auth/login-back-off';
import { loginAttemptCases } from '../../../support/login-attempt-cases';

describe('log-in attempts, counted in memory', () => {
  loginAttemptCases(() => {
    let nowMs = 1_000_000;
    const pass = (seconds: number): Promise<void> => {
      nowMs += seconds * 1_000;
      return Promise.resolve();
    };
    return Promise.resolve({ ...attemptsInMemory(STREAK_RULES, () => nowMs), pass });
  });

  it('a flood of names is forgotten, oldest first', async () => {
    const counter = attemptsInMemory(STREAK_RULES, () => 0);
    for (let failure = 0; failure < 5; failure += 1) await counter.count({ user: 'olga', address: 'a' });
    for (let name = 0; name < 5_000; name += 1) await counter.count({ user: String(name), address: 'b' });
    expect(await counter.count({ user: 'olga', address: 'a' })).toEqual({ blockedSeconds: 0, userFailures: 1 });
  });
});
