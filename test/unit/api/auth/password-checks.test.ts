import { createPasswordChecks } from '../../../../api/auth/password-checks';

const LIMITS = { atOnce: 2, most: 4, mostPerAddress: 3 };
const settled = () => new Promise((resolve) => setImmediate(resolve));

it('checks run two at a time, in order, and a delayed one keeps nobody waiting', async () => {
  let wake = (): void => undefined;
  const checks = createPasswordChecks(LIMITS, () => new Promise<void>((resolve) => (wake = resolve)));
  const begun: string[] = [];
  const ends: Record<string, () => void> = {};
  const check = (name: string, address: string, delayMs = 0): void => {
    const work = () => {
      begun.push(name);
      return new Promise<void>((resolve) => (ends[name] = resolve));
    };
    void checks.enter(address)?.run(delayMs, work);
  };
  check('delayed', 'a', 5_000);
  check('one', 'a');
  check('two', 'b');
  check('three', 'b');
  await settled();
  expect(begun).toEqual(['one', 'two']);
  ends['two']?.();
  await settled();
  wake();
  await settled();
  expect(begun).toEqual(['one', 'two', 'three']);
  ends['one']?.();
  await settled();
  expect(begun).toEqual(['one', 'two', 'three', 'delayed']);
});

it('there is no room for more than a few, of one address or of all, until one leaves', () => {
  const checks = createPasswordChecks(LIMITS, () => Promise.resolve());
  const places = [checks.enter('a'), checks.enter('a'), checks.enter('a')];
  expect(checks.enter('a')).toBeNull();
  expect(checks.enter('b')).not.toBeNull();
  expect(checks.enter('c')).toBeNull();
  places[0]?.leave();
  expect(checks.enter('a')).not.toBeNull();
  expect(checks.enter('c')).toBeNull();
});

it('a check that fails makes room for the next', async () => {
  const checks = createPasswordChecks({ ...LIMITS, atOnce: 1 }, () => Promise.resolve());
  const failing = checks.enter('a')?.run(0, () => Promise.reject(new Error('out of memory')));
  const next = checks.enter('a')?.run(0, () => Promise.resolve('done'));
  await expect(failing).rejects.toThrow('out of memory');
  expect(await next).toBe('done');
});
