import { RepeatedErrors } from '../../../broker/repeated-errors';

describe('errors that repeat', () => {
  it('are told at once and then each half minute, with how often', () => {
    const errors = new RepeatedErrors();

    expect(errors.count('ECONNREFUSED', 0)).toBe(1);
    expect(errors.count('ECONNREFUSED', 200)).toBeNull();
    expect(errors.count('ECONNREFUSED', 29_999)).toBeNull();
    expect(errors.count('ECONNREFUSED', 30_000)).toBe(3);
  });

  it('are told at once when the error is another one', () => {
    const errors = new RepeatedErrors();
    errors.count('ECONNREFUSED', 0);

    expect(errors.count('connack timeout', 10)).toBe(1);
  });

  it('are news again after it worked', () => {
    const errors = new RepeatedErrors();
    errors.count('ECONNREFUSED', 0);
    errors.forget();

    expect(errors.count('ECONNREFUSED', 10)).toBe(1);
  });
});
