import { createLoginBackOff, type AttemptCounter } from '../../../../api/auth/login-back-off';

const OLGA = { user: 'olga', address: '10.0.0.1' };
const counting = (userFailures: number): AttemptCounter => ({
  count: () => Promise.resolve({ blockedSeconds: 0, userFailures }),
  forget: () => Promise.resolve(),
});
const OWN = counting(11); // known by its delay of a second

const start = (shared: AttemptCounter, { up = true } = {}) => {
  const warnings: string[] = [];
  const log = { warn: (_details: unknown, message?: string) => void warnings.push(message ?? '') };
  return { backOff: createLoginBackOff({ shared, own: OWN, isSharedUp: () => up, log }), warnings };
};

describe('the pace of log-ins under one name', () => {
  it.each([
    [1, 0],
    [10, 0],
    [11, 1_000],
    [12, 2_000],
    [13, 4_000],
    [14, 5_000],
    [1_000_000, 5_000],
  ])('after %i failures from anywhere a log-in waits %i ms', async (userFailures, delayMs) => {
    const { backOff } = start(counting(userFailures));
    expect(await backOff.begin(OLGA)).toEqual({ blockedSeconds: 0, delayMs });
  });
});

describe('without the database', () => {
  it('each process counts by itself, and a database that is known to be away is not asked', async () => {
    const never = { count: () => Promise.reject(new Error('asked')), forget: () => Promise.reject(new Error('asked')) };
    const { backOff, warnings } = start(never, { up: false });
    expect(await backOff.begin(OLGA)).toEqual({ blockedSeconds: 0, delayMs: 1_000 });
    await backOff.succeeded(OLGA);
    expect(warnings).toEqual([]);
  });

  it('one that fails or hangs keeps nobody from logging in', async () => {
    const failing = { ...counting(1), count: () => Promise.reject(new Error('connect ECONNREFUSED')) };
    const { backOff, warnings } = start(failing);
    expect(await backOff.begin(OLGA)).toEqual({ blockedSeconds: 0, delayMs: 1_000 });
    expect(warnings).toHaveLength(1);
    jest.useFakeTimers();
    const hanging = start({ ...counting(1), count: () => new Promise(() => undefined) });
    const begun = hanging.backOff.begin(OLGA);
    await jest.advanceTimersByTimeAsync(1_000);
    jest.useRealTimers();
    expect(await begun).toEqual({ blockedSeconds: 0, delayMs: 1_000 });
  });
});
